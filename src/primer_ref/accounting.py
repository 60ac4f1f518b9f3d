"""What a decoder costs in operations: a pass, a training run, and their share of a device's peak.

A multiplication and an addition are two operations (FLOP). Only matrix products are counted:
norms, activations, softmax and rotations are of lower order in the width.
"""

from __future__ import annotations

from dataclasses import dataclass

from primer_ref.checks import check_nonnegative, check_positive
from primer_ref.config import Config
from primer_ref.parameters import ParameterCount

__all__ = [
    "ForwardFlops",
    "attention_crossover",
    "causal_forward_flops",
    "forward_flops",
    "model_flops_utilization",
    "palm_flops_per_token",
    "prompt_flops",
    "training_flops",
]


def _check_tokens(n_tokens: int, n_past: int) -> None:
    check_positive(n_tokens, "n_tokens")
    check_nonnegative(n_past, "n_past")


@dataclass(frozen=True, slots=True)
class ForwardFlops:
    """Operations of a forward pass by part, all layers together.

    Attributes
    ----------
    projections : int
        Queries, keys, values and outputs.
    scores : int
        Products of queries with keys.
    mixing : int
        Weighted sums of values.
    feed_forward : int
        Matrices of the feed-forward parts.
    logits : int
        Scores of the tokens.

    Examples
    --------
    >>> from primer_ref.accounting import forward_flops
    >>> from primer_ref.parameters import MODELS
    >>> gpt2 = MODELS["gpt2"]
    >>> flops = forward_flops(gpt2.config, gpt2.parameters, n_tokens=1024)
    >>> f"{(flops.scores + flops.mixing) / flops.total:.3f}"
    '0.133'
    """

    projections: int
    scores: int
    mixing: int
    feed_forward: int
    logits: int

    @property
    def total(self) -> int:
        """Sum of the parts, FLOP."""
        return self.projections + self.scores + self.mixing + self.feed_forward + self.logits


def _flops(config: Config, parameters: ParameterCount, n_tokens: int, pairs: int) -> ForwardFlops:
    """Count a pass over so many tokens and so many pairs of a query and a key in each layer."""
    per_pair = 2 * config.n_layers * config.n_heads * config.head_size
    return ForwardFlops(
        projections=2 * n_tokens * parameters.attention,
        scores=per_pair * pairs,
        mixing=per_pair * pairs,
        feed_forward=2 * n_tokens * parameters.feed_forward,
        logits=2 * n_tokens * parameters.scores,
    )


def forward_flops(
    config: Config, parameters: ParameterCount, *, n_tokens: int, n_past: int = 0
) -> ForwardFlops:
    r"""Count the operations of a forward pass, masked pairs included.

    Each entry of a matrix works once for each token, :math:`2NT` in all, and each of the
    :math:`T S` pairs of a query and a key costs :math:`4 L H D`.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model, which say how many feed-forward matrices there are.
    n_tokens : int
        New tokens, T.
    n_past : int
        Tokens whose keys and values are cached, so that S = ``n_past`` + T.

    Returns
    -------
    ForwardFlops
        Operations by part, for one sequence. A backward pass takes twice as many.

    Raises
    ------
    ValueError
        If there are no new tokens, or fewer than no past ones.

    Notes
    -----
    This is what dense kernels compute, the triangle above the diagonal with the one below.
    `causal_forward_flops` counts what the mask leaves.

    Implements :eq:`eq-forward-flops`.

    Examples
    --------
    >>> from primer_ref.accounting import forward_flops
    >>> from primer_ref.parameters import MODELS
    >>> gpt2 = MODELS["gpt2"]
    >>> f"{forward_flops(gpt2.config, gpt2.parameters, n_tokens=1024).total:,}"
    '291,648,307,200'
    """
    _check_tokens(n_tokens, n_past)
    return _flops(config, parameters, n_tokens, n_tokens * (n_past + n_tokens))


def causal_forward_flops(
    config: Config, parameters: ParameterCount, *, n_tokens: int, n_past: int = 0
) -> ForwardFlops:
    r"""Count the operations of a forward pass, visible pairs only.

    The t-th new token sees the past, those before it and itself:
    :math:`\sum_{t=1}^{T} (P + t) = TP + T(T+1)/2` pairs, P being ``n_past``.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    n_tokens : int
        New tokens, T.
    n_past : int
        Tokens whose keys and values are cached, P.

    Returns
    -------
    ForwardFlops
        Operations by part, for one sequence.

    Raises
    ------
    ValueError
        If there are no new tokens, or fewer than no past ones.

    Notes
    -----
    A prefill and then one decoding step after another add up to one pass over everything: the
    count does not depend on how the sequence is cut. That of `forward_flops` does.

    Implements :eq:`eq-causal-pairs`.

    Examples
    --------
    >>> from primer_ref.accounting import causal_forward_flops, forward_flops
    >>> from primer_ref.parameters import MODELS
    >>> gpt2 = MODELS["gpt2"]
    >>> dense, causal = (
    ...     count(gpt2.config, gpt2.parameters, n_tokens=1024)
    ...     for count in (forward_flops, causal_forward_flops)
    ... )
    >>> f"{causal.scores / dense.scores:.4f}"
    '0.5005'
    """
    _check_tokens(n_tokens, n_past)
    pairs = n_tokens * n_past + n_tokens * (n_tokens + 1) // 2
    return _flops(config, parameters, n_tokens, pairs)


def prompt_flops(config: Config, parameters: ParameterCount, *, n_tokens: int) -> int:
    """Count the operations of reading a prompt: visible pairs, and scores of the last token only.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.
    n_tokens : int
        Tokens of the prompt, T.

    Returns
    -------
    int
        Operations, for one sequence.

    Raises
    ------
    ValueError
        If there are no tokens.

    Examples
    --------
    >>> from primer_ref.accounting import causal_forward_flops, prompt_flops
    >>> from primer_ref.parameters import MODELS
    >>> gpt2 = MODELS["gpt2"]
    >>> whole = causal_forward_flops(gpt2.config, gpt2.parameters, n_tokens=1024)
    >>> f"{prompt_flops(gpt2.config, gpt2.parameters, n_tokens=1024) / whole.total:.4f}"
    '0.7100'
    """
    whole = causal_forward_flops(config, parameters, n_tokens=n_tokens)
    return whole.total - whole.logits + whole.logits // n_tokens


def training_flops(n_parameters: float, n_tokens: float) -> float:
    r"""Estimate the operations of a training run, :math:`6 N D`.

    Parameters
    ----------
    n_parameters : float
        Parameters that take part in a matrix product, N: `ParameterCount.multiplying`.
    n_tokens : float
        Tokens of training, D, repetitions included.

    Returns
    -------
    float
        FLOP.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Forward, a matrix of N entries takes 2N operations a token. Backward there are two such
    products, one for the gradient at the input and one for the gradient at the matrix. Left out
    are the products of queries with keys and of weights with values, which
    `palm_flops_per_token` adds; the rule is off by their share.

    Implements :eq:`eq-training-flops`.

    References
    ----------
    J. Kaplan et al. (2020), Scaling Laws for Neural Language Models, section 2.1.

    Examples
    --------
    >>> from primer_ref.accounting import training_flops
    >>> f"{training_flops(174.6e9, 300e9):.3g}"  # GPT-3
    '3.14e+23'
    """
    check_positive(n_parameters, "n_parameters")
    check_positive(n_tokens, "n_tokens")
    return 6 * n_parameters * n_tokens


def palm_flops_per_token(config: Config, n_parameters: float, *, n_tokens: int) -> float:
    r"""Count the operations of training on a token with attention, :math:`6N + 12 L H D T`.

    Parameters
    ----------
    config : Config
        Sizes.
    n_parameters : float
        Parameters that take part in a matrix product, N.
    n_tokens : int
        Length of a training sequence, T.

    Returns
    -------
    float
        FLOP a token, forward and backward, masked pairs included, without recomputation.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    The model's own work, so the numerator of `model_flops_utilization`. With N =
    `ParameterCount.multiplying` it is exactly three passes' worth of `forward_flops`.

    Implements :eq:`eq-training-flops-attention`.

    References
    ----------
    A. Chowdhery et al. (2022), PaLM: Scaling Language Modeling with Pathways, appendix B.

    Examples
    --------
    >>> from primer_ref.accounting import palm_flops_per_token
    >>> from primer_ref.parameters import MODELS
    >>> config = MODELS["gpt3-175b"].config
    >>> per_token = palm_flops_per_token(config, 174.6e9, n_tokens=2048)
    >>> f"{per_token / (6 * 174.6e9):.4f}"  # what 6ND leaves out
    '1.0277'
    """
    check_positive(n_parameters, "n_parameters")
    check_positive(n_tokens, "n_tokens")
    return 6 * n_parameters + 12 * config.n_layers * config.n_heads * config.head_size * n_tokens


def attention_crossover(config: Config, parameters: ParameterCount) -> float:
    r"""Find the length at which pairs of tokens cost as much as the layers' matrices.

    A token's pairs cost :math:`4LHDT` and its matrices :math:`2N_{\text{layers}}`, so

    .. math:: T^* = \frac{N_{\text{layers}}}{2 L H D}.

    Parameters
    ----------
    config : Config
        Sizes.
    parameters : ParameterCount
        Parameters of the model.

    Returns
    -------
    float
        Number of tokens. At length T the pairs cost T/T* times what the matrices cost.

    Notes
    -----
    Assumptions: masked pairs are counted, and the head is not. With as many key heads as heads,
    HD = C, a feed-forward part of two matrices and width 4C gives 12C² parameters a layer and so
    6C; a gated one of that width gives 16C² and so 8C. If only visible pairs count, a token has
    (T + 1)/2 of them and the length is 2T* − 1: twice as long, but for one token.

    Implements :eq:`eq-attention-crossover`.

    Examples
    --------
    >>> from primer_ref.accounting import attention_crossover
    >>> from primer_ref.parameters import MODELS
    >>> gpt2 = MODELS["gpt2"]
    >>> attention_crossover(gpt2.config, gpt2.parameters) / gpt2.config.width
    6.0
    """
    matrices = parameters.attention + parameters.feed_forward
    return matrices / (2 * config.n_layers * config.n_heads * config.head_size)


def model_flops_utilization(
    flops_per_token: float, tokens_per_second: float, peak_flops: float
) -> float:
    r"""Divide the model's own operations in a second by those the hardware could do.

    Parameters
    ----------
    flops_per_token : float
        Operations that a token needs, as `palm_flops_per_token` counts them.
    tokens_per_second : float
        Tokens trained on in a second.
    peak_flops : float
        Peak of all devices together, FLOP/s, in the format that is used and without sparsity.

    Returns
    -------
    float
        Share of the peak. What is computed twice does not count twice.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-flops-utilization`.

    References
    ----------
    A. Chowdhery et al. (2022), PaLM: Scaling Language Modeling with Pathways, section 4.1.

    Examples
    --------
    >>> from primer_ref.accounting import model_flops_utilization
    >>> f"{model_flops_utilization(6 * 405e9, 165, 989e12):.3f}"  # 165 tokens/s on one H100
    '0.405'
    """
    check_positive(flops_per_token, "flops_per_token")
    check_positive(tokens_per_second, "tokens_per_second")
    check_positive(peak_flops, "peak_flops")
    return flops_per_token * tokens_per_second / peak_flops
