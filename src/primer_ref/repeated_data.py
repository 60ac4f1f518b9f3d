r"""What text is worth when it is read more than once.

Data run out before compute does. A second reading is worth nearly as much as fresh text, a
fiftieth next to nothing; the same holds for parameters beyond what the data can fill.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.allocation import optimal_parameters
from primer_ref.functional import as_positive
from primer_ref.scaling import ScalingLaw, chinchilla_loss

__all__ = ["MUENNIGHOFF", "data_constrained_loss", "effective_tokens"]

Floats = NDArray[np.floating[Any]]

#: Constants for `data_constrained_loss` of Muennighoff et al. (2023), appendix A.
MUENNIGHOFF = ScalingLaw(
    e=float(np.exp(0.6254804)),
    a=float(np.exp(6.255414)),
    b=float(np.exp(7.3049974)),
    alpha=0.3526596,
    beta=0.3526596,
)


def _decayed(unique: Floats, amount: Floats, decay: float) -> Floats:
    """Count repetitions of what is unique at a worth that decays with their number."""
    repetitions = np.maximum(amount / unique - 1, 0)
    value: Floats = np.minimum(unique, amount) + unique * decay * -np.expm1(-repetitions / decay)
    return value


def effective_tokens(
    unique_tokens: ArrayLike, n_tokens: ArrayLike, *, decay: float = 15.387756
) -> Floats:
    r"""Fresh tokens that repeated ones are worth, :math:`U + U R^* (1 - e^{-R/R^*})`.

    Parameters
    ----------
    unique_tokens : array_like, shape (...)
        Tokens that there are, U.
    n_tokens : array_like, shape (...)
        Tokens of training, D: :math:`R = D/U - 1` repetitions. Below U, nothing is repeated.
    decay : float
        Repetitions R* after which a further one is worth 1/e; the published fit if not given.

    Returns
    -------
    ndarray, shape (...)
        Tokens, at most :math:`(1 + R^*)\,U`.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-effective-tokens`.

    References
    ----------
    N. Muennighoff et al. (2023), Scaling Data-Constrained Language Models, equation 5.

    Examples
    --------
    >>> from primer_ref.repeated_data import effective_tokens
    >>> print(effective_tokens(1.0, [1, 4, 16, 44]).round(2))  # epochs
    [ 1.    3.73 10.58 15.45]
    """
    as_positive(decay, "decay")
    return _decayed(
        as_positive(unique_tokens, "unique_tokens"), as_positive(n_tokens, "n_tokens"), decay
    )


def data_constrained_loss(
    n_parameters: ArrayLike,
    n_tokens: ArrayLike,
    unique_tokens: ArrayLike,
    law: ScalingLaw,
    *,
    parameter_decay: float = 5.309743,
    token_decay: float = 15.387756,
) -> Floats:
    r"""Loss when data are repeated, :math:`E + A/N'^\alpha + B/D'^\beta`.

    D' counts repeated tokens as `effective_tokens` does. N' counts in the same way the parameters
    beyond those that are best for the unique tokens.

    Parameters
    ----------
    n_parameters : array_like, shape (...)
        Parameters, N.
    n_tokens : array_like, shape (...)
        Tokens of training, repetitions included, D.
    unique_tokens : array_like, shape (...)
        Tokens that there are, U.
    law : ScalingLaw
        Constants: `MUENNIGHOFF` for the published fit.
    parameter_decay, token_decay : float
        Excess in multiples after which more of it is worth 1/e; the published fit if not given.

    Returns
    -------
    ndarray, shape (...)
        Nats a token.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    In this form repetition never hurts: overfitting is not in it.

    Implements :eq:`eq-data-constrained`.

    References
    ----------
    N. Muennighoff et al. (2023), Scaling Data-Constrained Language Models, appendix A.

    Examples
    --------
    >>> from primer_ref.repeated_data import MUENNIGHOFF, data_constrained_loss
    >>> epochs = [1, 4, 40]
    >>> losses = data_constrained_loss(1e9, [25e9 * k for k in epochs], 25e9, MUENNIGHOFF)
    >>> print(losses.round(3))
    [2.538 2.42  2.341]
    """
    as_positive(parameter_decay, "parameter_decay")
    as_positive(token_decay, "token_decay")
    n, d = as_positive(n_parameters, "n_parameters"), as_positive(n_tokens, "n_tokens")
    unique = as_positive(unique_tokens, "unique_tokens")
    best = optimal_parameters(np.minimum(unique, d), law)
    return chinchilla_loss(
        _decayed(best, n, parameter_decay), _decayed(unique, d, token_decay), law
    )
