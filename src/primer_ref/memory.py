"""What a decoder costs in bytes: its weights, its cache, and what a pass moves.

A gigabyte is 10⁹ bytes, not 2³⁰. Activations are left out: a good kernel keeps them on the chip in
inference, and what training keeps of them depends on how the training is cut up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from primer_ref.checks import check_nonnegative, check_positive
from primer_ref.config import Config
from primer_ref.parameters import ParameterCount

__all__ = ["forward_bytes", "kv_cache_bytes", "paged_tokens", "weight_bytes"]


def weight_bytes(parameters: ParameterCount, *, bits: float = 16) -> float:
    """Size of the stored weights.

    Parameters
    ----------
    parameters : ParameterCount
        Parameters of the model.
    bits : float
        Bits that a weight takes, its share of scales included.

    Returns
    -------
    float
        Bytes.

    Raises
    ------
    ValueError
        If the number of bits is not positive.

    Notes
    -----
    Implements :eq:`eq-weight-bytes`.

    Examples
    --------
    >>> from primer_ref.memory import weight_bytes
    >>> from primer_ref.parameters import MODELS
    >>> f"{weight_bytes(MODELS['llama3-405b'].parameters) / 1e9:.0f} GB"
    '812 GB'
    """
    check_positive(bits, "bits")
    return parameters.total * bits / 8


def kv_cache_bytes(config: Config, *, n_tokens: int, bytes_per_number: float = 2) -> float:
    r"""Size of the keys and values of a sequence, :math:`2 L K D T` numbers.

    Parameters
    ----------
    config : Config
        Sizes.
    n_tokens : int
        Tokens that are kept, T.
    bytes_per_number : float
        Bytes of a number: 2 for 16 bits.

    Returns
    -------
    float
        Bytes.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-kv-cache`.

    Examples
    --------
    >>> from primer_ref.memory import kv_cache_bytes
    >>> from primer_ref.parameters import MODELS
    >>> sizes = [MODELS[name].config for name in ("llama2-7b", "llama2-70b")]
    >>> [kv_cache_bytes(config, n_tokens=1) for config in sizes]
    [524288, 327680]
    """
    check_positive(n_tokens, "n_tokens")
    check_positive(bytes_per_number, "bytes_per_number")
    numbers = 2 * config.n_layers * config.n_kv_heads * config.head_size * n_tokens
    return numbers * bytes_per_number


def paged_tokens(lengths: ArrayLike, block: int) -> int:
    r"""Count the tokens that caches in blocks have room for, :math:`\sum_i a \lceil n_i/a \rceil`.

    Parameters
    ----------
    lengths : array_like of int, shape (n,)
        Tokens that each sequence has so far.
    block : int
        Tokens a block, a.

    Returns
    -------
    int
        Tokens, used and unused. The last block of each sequence has at most a − 1 unused ones.

    Raises
    ------
    ValueError
        If a block holds nothing, or a length is negative.
    TypeError
        If lengths are not whole numbers.

    Notes
    -----
    Implements :eq:`eq-paged-tokens`.

    References
    ----------
    W. Kwon et al. (2023), Efficient Memory Management for Large Language Model Serving with
    PagedAttention.

    Examples
    --------
    >>> from primer_ref.memory import paged_tokens
    >>> paged_tokens([1, 16, 17], 16)
    64
    """
    check_positive(block, "block")
    lengths = np.asarray(lengths)
    if lengths.size and lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths must be whole numbers; got entries of type {lengths.dtype}")
    lengths = lengths.astype(np.int64)  # rounded up to blocks, they may outgrow a narrower type
    if lengths.size and np.min(lengths) < 0:
        raise ValueError(f"lengths must not be negative; got {np.min(lengths)}")
    return int(np.sum(-(-lengths // block)) * block)


def forward_bytes(
    config: Config,
    parameters: ParameterCount,
    *,
    n_tokens: int,
    n_past: int = 0,
    batch: int = 1,
    bytes_per_number: float = 2,
) -> float:
    r"""Count the bytes that a forward pass cannot avoid moving between memory and processor.

    Weights are read once for the whole batch; each sequence reads the keys and values of its past
    and writes those of its new tokens:

    .. math:: b\,\bigl(N + B \cdot 2LKD\,(P + T)\bigr).

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model. N counts the matrix of scores, shared or not.
    n_tokens : int
        New tokens of a sequence, T: a prompt's in prefill, 1 in decoding.
    n_past : int
        Tokens of a sequence that are cached, P.
    batch : int
        Sequences, B.
    bytes_per_number : float
        Bytes of a weight and of a cached number, b.

    Returns
    -------
    float
        Bytes. A lower bound: activations are taken to stay on the chip, nothing is read twice, and
        the rows that tokens look up in a table, C numbers each, are left out.

    Raises
    ------
    ValueError
        If a number is not positive, or there are fewer than no past tokens.

    Notes
    -----
    Implements :eq:`eq-pass-bytes`.

    Examples
    --------
    >>> from primer_ref.memory import forward_bytes
    >>> from primer_ref.parameters import MODELS
    >>> model = MODELS["smollm2-135m"]
    >>> step = forward_bytes(model.config, model.parameters, n_tokens=1, bytes_per_number=4)
    >>> f"{step / 1e6:.0f} MB"
    '538 MB'
    """
    check_positive(n_tokens, "n_tokens")
    check_positive(batch, "batch")
    check_nonnegative(n_past, "n_past")
    weights = (parameters.non_embedding + parameters.scores) * bytes_per_number
    cache = kv_cache_bytes(config, n_tokens=n_past + n_tokens, bytes_per_number=bytes_per_number)
    return weights + batch * cache
