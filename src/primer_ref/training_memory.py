r"""Activations that training keeps for the backward pass, tensor by tensor, in bytes.

The layer is that of Korthikanti et al.: attention with as many key heads as query heads, a
feed-forward part of four times the width with two matrices and GELU, a norm before each part,
dropout after each part and on the attention weights, numbers of 16 bits and masks of 8. Scores are
stored: a kernel that computes them again, as FlashAttention does, keeps none of what grows with the
square of the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "STORED",
    "StoredTensor",
    "activation_bytes",
    "score_share",
    "selective_recomputation_overhead",
]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that a layer keeps from the forward to the backward pass.

    Attributes
    ----------
    name : str
        What it is.
    widths : int
        How many times the width it holds for each token; 0 for scores.
    bytes_per_number : int
        2 for a number, 1 for an entry of a mask.
    is_cut : bool
        Whether tensor parallel cuts it over devices; if not, every device holds all of it.
    is_score : bool
        Whether it holds a number for each head and each pair of tokens instead.
    """

    name: str
    widths: int
    bytes_per_number: int
    is_cut: bool
    is_score: bool = False


#: What a layer of that kind keeps.
STORED = (
    StoredTensor("input of the norm before attention", 1, 2, is_cut=False),
    StoredTensor("input of the projections to queries, keys and values", 1, 2, is_cut=False),
    StoredTensor("queries", 1, 2, is_cut=True),
    StoredTensor("keys", 1, 2, is_cut=True),
    StoredTensor("values", 1, 2, is_cut=True),
    StoredTensor("softmax of the scores", 0, 2, is_cut=True, is_score=True),
    StoredTensor("mask of the dropout on the weights", 0, 1, is_cut=True, is_score=True),
    StoredTensor("weights after dropout", 0, 2, is_cut=True, is_score=True),
    StoredTensor("input of the output projection", 1, 2, is_cut=True),
    StoredTensor("mask of the dropout after attention", 1, 1, is_cut=False),
    StoredTensor("input of the norm before the feed-forward part", 1, 2, is_cut=False),
    StoredTensor("input of the first matrix", 1, 2, is_cut=False),
    StoredTensor("input of GELU", 4, 2, is_cut=True),
    StoredTensor("input of the second matrix", 4, 2, is_cut=True),
    StoredTensor("mask of the dropout after the feed-forward part", 1, 1, is_cut=False),
)


def activation_bytes(
    stored: Sequence[StoredTensor],
    *,
    n_tokens: int,
    batch: int,
    width: int,
    n_heads: int,
    n_devices: int = 1,
) -> float:
    r"""Size of what a layer keeps for the backward pass, on each tensor parallel device.

    .. math:: TBC \left( 34 + \frac{5HT}{C} \right) \text{ on one device}, \qquad
        TBC \left( 10 + \frac{24}{p} + \frac{5HT}{Cp} \right) \text{ on each of } p.

    Parameters
    ----------
    stored : sequence of StoredTensor
        What is kept: `STORED`, or what is left of it when the rest is computed again.
    n_tokens : int
        Length of a sequence, T.
    batch : int
        Sequences in a micro-batch, B.
    width : int
        Model width, C.
    n_heads : int
        Number of heads, H.
    n_devices : int
        Tensor parallel devices, p.

    Returns
    -------
    float
        Bytes.

    Raises
    ------
    ValueError
        If a size is not positive.

    Notes
    -----
    Implements :eq:`eq-activation-bytes`.

    Cutting also the tokens where the matrices are not cut (Megatron's sequence parallel) divides
    everything by p, if the inputs of the first matrices, which the backward pass needs whole, are
    gathered again there. Means and variances of norms, a number a token, are left out.

    References
    ----------
    V. A. Korthikanti et al. (2023), Reducing Activation Recomputation in Large Transformer Models.

    Examples
    --------
    >>> from primer_ref.training_memory import STORED, activation_bytes
    >>> gpt3 = {"n_tokens": 2048, "batch": 1, "width": 12_288, "n_heads": 96}
    >>> without_scores = [tensor for tensor in STORED if not tensor.is_score]
    >>> for kept in (STORED, without_scores):
    ...     print(f"{activation_bytes(kept, **gpt3) / 1e9:.2f} GB a layer")
    2.87 GB a layer
    0.86 GB a layer
    """
    _check_sizes(n_tokens, batch, width, n_heads, n_devices)
    total = 0.0
    for tensor in stored:
        numbers = n_heads * n_tokens if tensor.is_score else tensor.widths * width
        share = n_devices if tensor.is_cut else 1
        total += n_tokens * batch * numbers * tensor.bytes_per_number / share
    return total


def score_share(*, n_tokens: int, width: int, n_heads: int) -> float:
    r"""Share of the stored bytes that grow with the square of the length, :math:`x/(34+x)`.

    Here :math:`x = 5HT/C`. It is what selective recomputation saves.

    Parameters
    ----------
    n_tokens : int
        Length of a sequence, T.
    width : int
        Model width, C.
    n_heads : int
        Number of heads, H.

    Returns
    -------
    float
        Bytes of scores over all bytes of a layer.

    Raises
    ------
    ValueError
        If a size is not positive.

    Notes
    -----
    Implements :eq:`eq-score-share`.

    References
    ----------
    V. A. Korthikanti et al. (2023), Reducing Activation Recomputation in Large Transformer Models.

    Examples
    --------
    >>> from primer_ref.training_memory import score_share
    >>> print(f"{score_share(n_tokens=2048, width=12_288, n_heads=96):.3f}")
    0.702
    """
    sizes = {"n_tokens": n_tokens, "batch": 1, "width": width, "n_heads": n_heads}
    scores = [tensor for tensor in STORED if tensor.is_score]
    return activation_bytes(scores, **sizes) / activation_bytes(STORED, **sizes)


def selective_recomputation_overhead(*, n_tokens: int, width: int) -> float:
    r"""Extra work for computing scores and weighted values twice, :math:`T/(18C + 3T)`.

    Parameters
    ----------
    n_tokens : int
        Length of a sequence, T.
    width : int
        Model width, C.

    Returns
    -------
    float
        FLOP of one more forward pass of :math:`QK^\T` and of weights times values, over FLOP of a
        layer's step without it.

    Raises
    ------
    ValueError
        If a size is not positive.

    Notes
    -----
    Implements :eq:`eq-selective-overhead`.

    For each token, the matrices take :math:`24C^2` FLOP forward and these two products
    :math:`4TC`; a step takes three times both. Korthikanti et al. print 2.7 % for GPT-3 and 1.6 %
    for MT-NLG, three times as much as this, which is the share of the two products in the whole
    step, forward and backward: :math:`T/(6C + T)`.

    References
    ----------
    V. A. Korthikanti et al. (2023), Reducing Activation Recomputation in Large Transformer Models.

    Examples
    --------
    >>> from primer_ref.training_memory import selective_recomputation_overhead
    >>> print(f"{selective_recomputation_overhead(n_tokens=2048, width=12_288):.4f}")
    0.0090
    """
    _check_sizes(n_tokens, width)
    return n_tokens / (18 * width + 3 * n_tokens)


def _check_sizes(*sizes: int) -> None:
    if not min(sizes) > 0:
        raise ValueError(f"sizes must be positive; got {sizes}")
