r"""Scaling laws: how loss falls with parameters, with tokens and with both.

The laws are fits. They hold where they were fitted, for the data, the tokenizer and the recipe of
that family of runs; how parameters are counted (with embeddings or without) is part of the fit.
Losses are in nats a token. A training run takes :math:`C = 6 N D` operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_positive
from primer_ref.functional import as_positive
from primer_ref.information import probabilities

__all__ = [
    "BESIROGLU",
    "HOFFMANN",
    "HOFFMANN_UNROUNDED",
    "ScalingLaw",
    "chinchilla_loss",
    "exact_match",
    "kaplan_loss",
    "power_law",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ScalingLaw:
    r"""Constants of :math:`L(N, D) = E + A/N^\alpha + B/D^\beta`.

    Attributes
    ----------
    e : float
        What no size and no data remove, E, which need not be the entropy rate of the text.
    a : float
        Scale of what a finite model costs, A.
    b : float
        Scale of what finite data cost, B.
    alpha : float
        Exponent of the parameters.
    beta : float
        Exponent of the tokens.

    Raises
    ------
    ValueError
        If a constant is negative, or a scale or an exponent is not positive.

    Examples
    --------
    >>> from primer_ref.scaling import BESIROGLU
    >>> n, d = BESIROGLU.exponents
    >>> f"N grows as C^{n:.3f}, D as C^{d:.3f}"
    'N grows as C^0.513, D as C^0.487'
    """

    e: float
    a: float
    b: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        for name in ("a", "b", "alpha", "beta"):
            check_positive(getattr(self, name), name)
        check_nonnegative(self.e, "e")

    @property
    def exponents(self) -> tuple[float, float]:
        r"""Powers of compute with which the best N and D grow, β and α over their sum."""
        total = self.alpha + self.beta
        return self.beta / total, self.alpha / total


#: Hoffmann et al. (2022), approach 3, as printed.
HOFFMANN = ScalingLaw(e=1.69, a=406.4, b=410.7, alpha=0.34, beta=0.28)

#: The same fit with the digits that the source of that paper holds.
HOFFMANN_UNROUNDED = ScalingLaw(
    e=float(np.exp(0.5267228)),
    a=float(np.exp(6.0073404)),
    b=float(np.exp(6.0179186)),
    alpha=0.33917084,
    beta=0.2849083,
)

#: The refit of Besiroglu et al. (2024) to 240 of the runs, read off a figure of that paper.
BESIROGLU = ScalingLaw(e=1.8172, a=482.01, b=2085.43, alpha=0.3478, beta=0.3658)


def power_law(x: ArrayLike, *, scale: float, exponent: float) -> Floats:
    r"""Loss that falls as a power of one quantity, :math:`(x_c/x)^\alpha`.

    Parameters
    ----------
    x : array_like, shape (...)
        Parameters, tokens or compute.
    scale : float
        Where the loss would be 1 nat, x_c.
    exponent : float
        Power α.

    Returns
    -------
    ndarray, shape (...)
        Nats a token.

    Raises
    ------
    ValueError
        If a quantity is not positive.

    Notes
    -----
    There is no constant: the law says that loss falls to 0, which text does not allow, so it must
    fail somewhere beyond the data.

    Implements :eq:`eq-loss-power-law`.

    References
    ----------
    J. Kaplan et al. (2020), Scaling Laws for Neural Language Models, equations 1.1 to 1.3.

    Examples
    --------
    >>> from primer_ref.scaling import power_law
    >>> print(power_law([8.5e7, 1.5e9], scale=8.8e13, exponent=0.076).round(3))  # Kaplan's L(N)
    [2.865 2.304]
    """
    return (scale / as_positive(x, "x")) ** exponent


def kaplan_loss(
    n_parameters: ArrayLike,
    n_tokens: ArrayLike,
    *,
    size_scale: float = 6.4e13,
    data_scale: float = 1.8e13,
    size_exponent: float = 0.076,
    data_exponent: float = 0.103,
) -> Floats:
    r"""Kaplan's joint law, :math:`[(N_c/N)^{\alpha_N/\alpha_D} + D_c/D]^{\alpha_D}`.

    Parameters
    ----------
    n_parameters : array_like, shape (...)
        Parameters without embeddings, N.
    n_tokens : array_like, shape (...)
        Tokens of the data set, D.
    size_scale, data_scale : float
        Scales N_c and D_c; the published fit if not given.
    size_exponent, data_exponent : float
        Exponents α_N and α_D; the published fit if not given.

    Returns
    -------
    ndarray, shape (...)
        Nats a token, where training stops before it overfits.

    Raises
    ------
    ValueError
        If a quantity is not positive.

    Notes
    -----
    Without end of either quantity it is a power law in the other. Loss depends on
    :math:`N^{\alpha_N/\alpha_D}/D`: data have to grow as the 0.74th power of the parameters.

    Implements :eq:`eq-kaplan-joint`.

    References
    ----------
    J. Kaplan et al. (2020), Scaling Laws for Neural Language Models, equation 1.5 and table 2.

    Examples
    --------
    >>> from primer_ref.scaling import kaplan_loss
    >>> print(kaplan_loss([1e8, 1e9], 22e9).round(3))
    [2.774 2.369]
    """
    n, d = as_positive(n_parameters, "n_parameters"), as_positive(n_tokens, "n_tokens")
    inner = (size_scale / n) ** (size_exponent / data_exponent) + data_scale / d
    value: Floats = inner**data_exponent
    return value


def chinchilla_loss(n_parameters: ArrayLike, n_tokens: ArrayLike, law: ScalingLaw) -> Floats:
    r"""Loss of a size and an amount of data, :math:`E + A/N^\alpha + B/D^\beta`.

    Parameters
    ----------
    n_parameters : array_like, shape (...)
        Parameters, N.
    n_tokens : array_like, shape (...)
        Tokens, each seen once, D.
    law : ScalingLaw
        Constants.

    Returns
    -------
    ndarray, shape (...)
        Nats a token.

    Raises
    ------
    ValueError
        If a quantity is not positive.

    Notes
    -----
    Implements :eq:`eq-chinchilla-loss`.

    References
    ----------
    J. Hoffmann et al. (2022), Training Compute-Optimal Large Language Models, section 3.3.

    Examples
    --------
    >>> from primer_ref.scaling import BESIROGLU, HOFFMANN, chinchilla_loss
    >>> for law in (HOFFMANN, BESIROGLU):
    ...     print(f"{chinchilla_loss(70e9, 1.4e12, law):.3f}")  # Chinchilla itself
    1.937
    1.974
    """
    n, d = as_positive(n_parameters, "n_parameters"), as_positive(n_tokens, "n_tokens")
    value: Floats = law.e + law.a / n**law.alpha + law.b / d**law.beta
    return value


def exact_match(token_accuracy: ArrayLike, n_tokens: ArrayLike) -> Floats:
    r"""Chance that an answer is right in all of its tokens, :math:`p^k`.

    Parameters
    ----------
    token_accuracy : array_like, shape (...)
        Chance that a token is right, given that those before it are, p.
    n_tokens : array_like, shape (...)
        Tokens of the answer, k.

    Returns
    -------
    ndarray, shape (...)
        Chances.

    Raises
    ------
    ValueError
        If an accuracy is not in [0, 1], or a length is not positive.

    Notes
    -----
    A smooth gain in p looks sudden in :math:`p^k`: it is near 0 until 1 − p comes down to 1/k.
    Whether an ability "emerges" can thus depend on the metric alone.

    Implements :eq:`eq-exact-match`.

    References
    ----------
    R. Schaeffer, B. Miranda and S. Koyejo (2023), Are Emergent Abilities of Large Language Models
    a Mirage?

    Examples
    --------
    >>> from primer_ref.scaling import exact_match
    >>> print(exact_match([0.5, 0.8, 0.9, 0.99], 20).round(3))
    [0.    0.012 0.122 0.818]
    """
    p = probabilities(token_accuracy, "token_accuracy")
    value: Floats = p ** as_positive(n_tokens, "n_tokens")
    return value
