"""How fast a decoder can answer, for how many at once, and at what price.

Reading a prompt does many operations for each weight that is moved; writing an answer does two for
each sequence. The times are those of the roofline, lower bounds: a server that overlaps nothing or
waits for its network is slower.
"""

from __future__ import annotations

import math

from primer_ref.accounting import causal_forward_flops, prompt_flops
from primer_ref.checks import check_positive
from primer_ref.config import Config
from primer_ref.memory import forward_bytes, kv_cache_bytes, weight_bytes
from primer_ref.parameters import ParameterCount
from primer_ref.roofline import Device, ridge_point, roofline_seconds

__all__ = [
    "cost_per_million_tokens",
    "decode_crossover",
    "decode_intensity",
    "decode_seconds",
    "largest_batch",
    "littles_law",
    "prefill_intensity",
    "request_seconds",
]


def prefill_intensity(
    config: Config, parameters: ParameterCount, *, n_tokens: int, bytes_per_number: float = 2
) -> float:
    """Operations a byte while a prompt is read: in 16 bits, about as many as it has tokens.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    n_tokens : int
        Tokens of the prompt.
    bytes_per_number : float
        Bytes of a weight and of a cached number.

    Returns
    -------
    float
        FLOP a byte; operations on visible pairs only, and scores of every token, as when a text is
        scored.

    Raises
    ------
    ValueError
        If a number is not positive.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> from primer_ref.serving import prefill_intensity
    >>> llama = MODELS["llama3-8b"]
    >>> f"{prefill_intensity(llama.config, llama.parameters, n_tokens=1000):.0f}"
    '1009'
    """
    moved = forward_bytes(config, parameters, n_tokens=n_tokens, bytes_per_number=bytes_per_number)
    return causal_forward_flops(config, parameters, n_tokens=n_tokens).total / moved


def _decode(
    config: Config, parameters: ParameterCount, n_past: int, batch: int, bytes_per_number: float
) -> tuple[int, float]:
    """Count operations and bytes of a step that gives each sequence of a batch one more token."""
    flops = batch * causal_forward_flops(config, parameters, n_tokens=1, n_past=n_past).total
    moved = forward_bytes(
        config,
        parameters,
        n_tokens=1,
        n_past=n_past,
        batch=batch,
        bytes_per_number=bytes_per_number,
    )
    return flops, moved


def decode_intensity(
    config: Config,
    parameters: ParameterCount,
    *,
    n_past: int,
    batch: int = 1,
    bytes_per_number: float = 2,
) -> float:
    r"""Operations a byte of a decoding step.

    With N weights of b bytes and caches of κ bytes in which a token's pairs cost :math:`f`
    operations, :math:`B(2N + f) / (bN + B\kappa)`: it grows with the batch, at first in proportion,
    and never exceeds :math:`(2N + f)/\kappa`.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    n_past : int
        Tokens of each sequence so far.
    batch : int
        Sequences, B.
    bytes_per_number : float
        Bytes of a weight and of a cached number, b.

    Returns
    -------
    float
        FLOP a byte.

    Raises
    ------
    ValueError
        If a number is not positive, or there are fewer than no past tokens.

    Notes
    -----
    Implements :eq:`eq-decode-intensity`.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> from primer_ref.serving import decode_intensity
    >>> llama = MODELS["llama3-8b"]
    >>> for batch in (1, 64, 4096):
    ...     at = decode_intensity(llama.config, llama.parameters, n_past=4096, batch=batch)
    ...     print(f"{at:.2f}")
    1.10
    22.24
    31.73
    """
    flops, moved = _decode(config, parameters, n_past, batch, bytes_per_number)
    return flops / moved


def decode_seconds(
    config: Config,
    parameters: ParameterCount,
    device: Device,
    *,
    n_past: int,
    batch: int = 1,
    bytes_per_number: float = 2,
) -> float:
    """Bound the time of a decoding step from below.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    device : Device
        Peak rates.
    n_past : int
        Tokens of each sequence so far.
    batch : int
        Sequences; each gets one token from a step.
    bytes_per_number : float
        Bytes of a weight and of a cached number.

    Returns
    -------
    float
        Seconds. ``batch`` over it bounds the tokens a second from above.

    Raises
    ------
    ValueError
        If a number is not positive, or there are fewer than no past tokens.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> from primer_ref.roofline import DEVICES
    >>> from primer_ref.serving import decode_seconds
    >>> llama, h100 = MODELS["llama3-8b"], DEVICES["h100-sxm"]
    >>> step = decode_seconds(llama.config, llama.parameters, h100, n_past=4096)
    >>> f"{1 / step:.0f} tokens/s"
    '215 tokens/s'
    """
    flops, moved = _decode(config, parameters, n_past, batch, bytes_per_number)
    return roofline_seconds(flops, moved, device)


def decode_crossover(
    config: Config,
    parameters: ParameterCount,
    device: Device,
    *,
    n_past: int,
    bytes_per_number: float = 2,
) -> float:
    r"""Find the batch at which decoding stops waiting for memory.

    With the letters of `decode_intensity` and the ridge point I*,

    .. math:: B^* = \frac{I^* b N}{2N + f - I^* \kappa},

    which for short sequences is :math:`I^* b / 2`.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    device : Device
        Peak rates.
    n_past : int
        Tokens of each sequence so far.
    bytes_per_number : float
        Bytes of a weight and of a cached number.

    Returns
    -------
    float
        Sequences, not rounded; infinite if the caches alone keep the device waiting, so that no
        batch is large enough.

    Raises
    ------
    ValueError
        If a number is not positive, or there are fewer than no past tokens.

    Notes
    -----
    Implements :eq:`eq-decode-crossover`.

    Nothing says that so many sequences fit: compare `largest_batch`.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> from primer_ref.roofline import DEVICES
    >>> from primer_ref.serving import decode_crossover
    >>> llama, h100 = MODELS["llama3-8b"], DEVICES["h100-sxm"]
    >>> for n_past in (0, 256, 1024):
    ...     batch = decode_crossover(llama.config, llama.parameters, h100, n_past=n_past)
    ...     print(f"{batch:.0f}")
    296
    852
    inf
    """
    flops, one = _decode(config, parameters, n_past, 1, bytes_per_number)
    cache = kv_cache_bytes(config, n_tokens=n_past + 1, bytes_per_number=bytes_per_number)
    ridge = ridge_point(device)
    room = flops - ridge * cache
    return ridge * (one - cache) / room if room > 0 else math.inf


def largest_batch(
    config: Config,
    parameters: ParameterCount,
    device: Device,
    *,
    n_tokens: int,
    bytes_per_number: float = 2,
) -> int:
    """Count the sequences whose caches fit beside the weights.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    device : Device
        Whose memory it is.
    n_tokens : int
        Tokens of each sequence at its longest.
    bytes_per_number : float
        Bytes of a weight and of a cached number.

    Returns
    -------
    int
        Sequences; 0 if not even the weights fit. Activations and fragments take memory too.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-largest-batch`.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> from primer_ref.roofline import DEVICES
    >>> from primer_ref.serving import largest_batch
    >>> for name in ("llama3-8b", "llama2-7b", "llama3-70b"):
    ...     model = MODELS[name]
    ...     print(largest_batch(model.config, model.parameters, DEVICES["h100-sxm"], n_tokens=4096))
    119
    30
    0
    """
    cache = kv_cache_bytes(config, n_tokens=n_tokens, bytes_per_number=bytes_per_number)
    free = device.memory - weight_bytes(parameters, bits=8 * bytes_per_number)
    return max(0, math.floor(free / cache))


def request_seconds(
    config: Config,
    parameters: ParameterCount,
    device: Device,
    *,
    n_prompt: int,
    n_new: int,
    batch: int = 1,
    bytes_per_number: float = 2,
) -> tuple[float, float]:
    r"""Bound the time of a request from below: until its first token, and from there to its last.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    device : Device
        Peak rates.
    n_prompt : int
        Tokens of the prompt, P.
    n_new : int
        Tokens of the answer, m.
    batch : int
        Sequences of the same length that are written together, B.
    bytes_per_number : float
        Bytes of a weight and of a cached number.

    Returns
    -------
    first : float
        Seconds to read the prompt alone and to score its last token, which makes the first new one.
    rest : float
        Seconds of the m − 1 steps of the whole batch that follow.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-request-seconds`: :math:`w = t_{\text{read}}(P) + \sum_{i=1}^{m-1}
    t_{\text{step}}(B, P + i - 1)`, each time that of the roofline. Waiting in a queue is not
    contained, nor what reading the prompts of others takes away. Every layer is taken to run for
    every token of the prompt.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> from primer_ref.roofline import DEVICES
    >>> from primer_ref.serving import request_seconds
    >>> llama, h100 = MODELS["llama3-8b"], DEVICES["h100-sxm"]
    >>> first, rest = request_seconds(
    ...     llama.config, llama.parameters, h100, n_prompt=1000, n_new=300, batch=32)
    >>> print(f"{first:.3f} s to the first token, {rest:.2f} s for the others")
    0.014 s to the first token, 1.77 s for the others
    """
    check_positive(n_new, "n_new")
    flops = prompt_flops(config, parameters, n_tokens=n_prompt)
    moved = forward_bytes(config, parameters, n_tokens=n_prompt, bytes_per_number=bytes_per_number)
    steps = (
        decode_seconds(
            config,
            parameters,
            device,
            n_past=n_prompt + i - 1,
            batch=batch,
            bytes_per_number=bytes_per_number,
        )
        for i in range(1, n_new)
    )
    return roofline_seconds(flops, moved, device), math.fsum(steps)


def littles_law(arrivals_per_second: float, seconds: float) -> float:
    r"""Mean number of requests in a system, :math:`\lambda W`.

    Parameters
    ----------
    arrivals_per_second : float
        Mean rate at which requests arrive, and leave, λ.
    seconds : float
        Mean time that a request spends in the system, W.

    Returns
    -------
    float
        Requests that are in the system at a time, on average.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-little`: :math:`\bar n = \lambda\,\bar w`.

    Exact for any arrivals, any order of service and any times over a period that begins and ends
    empty; otherwise what lies outside of the period counts as well.

    References
    ----------
    J. D. C. Little (1961), A Proof for the Queuing Formula: L = λW.

    Examples
    --------
    >>> from primer_ref.serving import littles_law
    >>> littles_law(4.0, 15.0)  # four requests a second, each answered in 15 s
    60.0
    """
    check_positive(arrivals_per_second, "arrivals_per_second")
    check_positive(seconds, "seconds")
    return arrivals_per_second * seconds


def cost_per_million_tokens(dollars_per_hour: float, tokens_per_second: float) -> float:
    """Price of a million tokens from the price of an hour.

    Parameters
    ----------
    dollars_per_hour : float
        Price of the hardware, in any currency.
    tokens_per_second : float
        Rate that it keeps up, idle time included.

    Returns
    -------
    float
        Price, in that currency.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-token-price`: an hour's price over 3600 seconds and v tokens a second, times
    a million.

    Examples
    --------
    >>> from primer_ref.serving import cost_per_million_tokens
    >>> f"{cost_per_million_tokens(3.6, 1000):.2f}"
    '1.00'
    """
    check_positive(dollars_per_hour, "dollars_per_hour")
    check_positive(tokens_per_second, "tokens_per_second")
    return dollars_per_hour / 3600 / tokens_per_second * 1e6
