r"""Paired comparisons: the Bradley–Terry model, its loss, its fit from a table of wins, and Elo.

Give each item a strength r and, in every comparison, independent standard Gumbel noise; whichever
comes out larger is preferred. The difference of two such noises is logistic, so i beats j with
probability :math:`\sigma(r_i - r_j)`. Only differences show: strengths, like the rewards of one
prompt's answers, are known up to a constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.activations import sigmoid, softplus
from primer_ref.checks import check_positive_finite, check_share
from primer_ref.functional import as_floats
from primer_ref.intervals import normal_quantile

__all__ = [
    "BradleyTerryFit",
    "bradley_terry",
    "bradley_terry_gradient",
    "bradley_terry_information",
    "bradley_terry_loss",
    "difference_errors",
    "elo_update",
    "fit_bradley_terry",
    "strength_intervals",
]

Floats = NDArray[np.floating[Any]]


def bradley_terry(first: ArrayLike, second: ArrayLike) -> Floats:
    r"""Probability that the first is preferred, :math:`\sigma(r_1 - r_2)`.

    Parameters
    ----------
    first : array_like, shape (...)
        Strengths of the first, in nats of log-odds.
    second : array_like, shape (...)
        Strengths of the second; broadcasts against ``first``.

    Returns
    -------
    ndarray, shape (...)
        Probabilities. A constant added to both changes nothing.

    Notes
    -----
    Implements :eq:`eq-bradley-terry`.

    References
    ----------
    R. A. Bradley and M. E. Terry (1952), Rank Analysis of Incomplete Block Designs: I. The Method
    of Paired Comparisons.

    Examples
    --------
    >>> from primer_ref.preferences import bradley_terry
    >>> print(bradley_terry([2.0, 0.0], [1.0, 0.0]).round(4))
    [0.7311 0.5   ]
    """
    return sigmoid(as_floats(first) - as_floats(second))


def _pairs(chosen: ArrayLike, rejected: ArrayLike) -> tuple[Floats, Floats]:
    chosen, rejected = as_floats(chosen), as_floats(rejected)
    if chosen.shape != rejected.shape or chosen.size == 0:
        raise ValueError(
            f"there must be one rejected a chosen; got shapes {chosen.shape} and {rejected.shape}"
        )
    if not np.all(np.isfinite(chosen) & np.isfinite(rejected)):
        raise ValueError("rewards must be finite")
    return chosen, rejected


def bradley_terry_loss(chosen: ArrayLike, rejected: ArrayLike) -> Floats:
    r"""Mean surprisal of the preferences, :math:`-\log\sigma(r_+ - r_-)`.

    Parameters
    ----------
    chosen : array_like, shape (...)
        Rewards r₊ of the preferred answers.
    rejected : array_like, shape (...)
        Rewards r₋ of the answers that they were preferred to.

    Returns
    -------
    ndarray, shape ()
        Nats a comparison; log 2 where all rewards are alike.

    Raises
    ------
    ValueError
        If the two differ in shape, are empty, or hold a number that is not finite.

    Notes
    -----
    Convex in the rewards. A function of the prompt alone, added to the rewards of all its answers,
    changes neither the loss nor what a policy trained on the rewards prefers.

    Implements :eq:`eq-bradley-terry-loss`.

    Examples
    --------
    >>> from primer_ref.preferences import bradley_terry_loss
    >>> print(f"{bradley_terry_loss([2.0, 0.0], [1.0, 0.0]):.4f}")
    0.5032
    """
    chosen, rejected = _pairs(chosen, rejected)
    return cast("Floats", np.sum(softplus(rejected - chosen)) / chosen.size)


def bradley_terry_gradient(chosen: ArrayLike, rejected: ArrayLike) -> Floats:
    r"""Gradient of `bradley_terry_loss` at the chosen rewards, :math:`-\sigma(r_- - r_+)/n`.

    Parameters
    ----------
    chosen : array_like, shape (...)
        Rewards of the preferred answers.
    rejected : array_like, shape (...)
        Rewards of the answers that they were preferred to; n in all.

    Returns
    -------
    ndarray, shape (...)
        Minus the probability of being wrong about the pair, over n. At the rejected rewards the
        gradient is the opposite.

    Raises
    ------
    ValueError
        If the two differ in shape, are empty, or hold a number that is not finite.

    Notes
    -----
    Implements :eq:`eq-bradley-terry-gradient`.

    Examples
    --------
    >>> from primer_ref.preferences import bradley_terry_gradient
    >>> print(bradley_terry_gradient([2.0, 0.0], [1.0, 0.0]).round(4))
    [-0.1345 -0.25  ]
    """
    chosen, rejected = _pairs(chosen, rejected)
    return -bradley_terry(rejected, chosen) / chosen.size


def bradley_terry_information(strengths: ArrayLike, games: ArrayLike) -> Floats:
    r"""Fisher information about the strengths.

    .. math:: \sum_{i < j} n_{ij}\, p_{ij}\, p_{ji}\, (e_i - e_j)^\T (e_i - e_j).

    Parameters
    ----------
    strengths : array_like, shape (n,)
        Strengths.
    games : array_like, shape (n, n)
        How often each two were compared: symmetric, 0 on the diagonal.

    Returns
    -------
    ndarray, shape (n, n)
        The Laplacian of the comparison graph with weights :math:`n_{ij} p_{ij} p_{ji}`, which is
        also minus the Hessian of the log-likelihood. Rows sum to 0: nothing is learned about a
        common shift.

    Raises
    ------
    ValueError
        If the shapes do not match.

    Notes
    -----
    Implements :eq:`eq-bradley-terry-information`.

    Examples
    --------
    >>> from primer_ref.preferences import bradley_terry_information
    >>> print(bradley_terry_information([0.0, 0.0], [[0, 8], [8, 0]]))
    [[ 2. -2.]
     [-2.  2.]]
    """
    strengths, games = as_floats(strengths), as_floats(games)
    if games.shape != (strengths.size, strengths.size):
        raise ValueError(
            "games must have a row and a column a strength; "
            f"got shapes {games.shape} and {strengths.shape}"
        )
    p = bradley_terry(strengths[:, None], strengths)
    weights = games * p * p.T
    return np.diag(np.sum(weights, axis=1)) - weights


@dataclass(frozen=True, slots=True, eq=False)
class BradleyTerryFit:
    """Strengths of greatest likelihood, and how well they are known.

    Attributes
    ----------
    strengths : ndarray, shape (n,)
        Strengths in nats of log-odds; they sum to 0.
    covariance : ndarray, shape (n, n)
        Pseudo-inverse of the Fisher information at them: the covariance of the strengths, less
        their mean, for many comparisons.
    """

    strengths: Floats
    covariance: Floats


def _check_wins(wins: ArrayLike) -> Floats:
    wins = np.asarray(as_floats(wins), dtype=np.float64)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or len(wins) < 2:
        raise ValueError(f"wins must be a square matrix of 2 items or more; got shape {wins.shape}")
    if not np.all((wins >= 0) & np.isfinite(wins)) or np.any(np.diag(wins) != 0):
        raise ValueError("wins must be finite, at least 0, and 0 on the diagonal")
    for links, why in (
        (wins + wins.T, "no comparisons link item {0} to item {1}: they share no scale"),
        (
            wins,
            "no chain of wins leads from item {0} to item {1}: the likelihood has no maximum, "
            "it grows for ever as the items that {0} can reach sink below the others",
        ),
    ):
        reach = (links > 0) | np.eye(len(wins), dtype=bool)
        for _ in range(len(wins).bit_length()):  # chains of 1, 2, 4, … links
            reach = reach @ reach
        if not np.all(reach):
            raise ValueError(why.format(*np.argwhere(~reach)[0]))
    return wins


def fit_bradley_terry(wins: ArrayLike) -> BradleyTerryFit:
    r"""Strengths under which a table of wins is likeliest.

    The gradient of the log-likelihood is what each item won less what it was expected to win, and
    Newton's step v solves information · v = gradient. It is shortened to :math:`v/(1 + d/2)`, with
    d the largest entry of v less the smallest.

    Parameters
    ----------
    wins : array_like, shape (n, n)
        Entry (i, j) is how often i was preferred to j; a draw may count half for each.

    Returns
    -------
    BradleyTerryFit
        Strengths that sum to 0, and their covariance.

    Raises
    ------
    ValueError
        If the table is not square, finite, nonnegative and 0 on the diagonal, or if no chain of
        wins leads from some item to another: then the likelihood has no maximum, or more than one.
    ArithmeticError
        If the strengths do not settle, as where some items were compared more than about
        :math:`10^{16}` times as often as others.

    Notes
    -----
    At t steps of reach d the second derivative has grown by at most a factor :math:`e^{dt}`, so the
    slope of the log-likelihood stays positive up to :math:`t = \log(1 + d)/d \ge 1/(1 + d/2)`: it
    grows at every step, from anywhere, and near the maximum the steps are Newton's own.

    The maximum exists and is unique exactly when every item can be reached from every other along
    wins.

    Implements :eq:`eq-bradley-terry-fit`.

    References
    ----------
    D. R. Hunter (2004), MM Algorithms for Generalized Bradley–Terry Models.

    Examples
    --------
    >>> from primer_ref.preferences import fit_bradley_terry
    >>> fit = fit_bradley_terry([[0, 6, 4], [2, 0, 3], [1, 2, 0]])
    >>> print(fit.strengths.round(4))
    [ 0.8369 -0.2334 -0.6035]
    """
    wins = _check_wins(wins)
    games, strengths = wins + wins.T, np.zeros(len(wins))
    # At the maximum, items above a gap lose l of their n games with those below, and the gap is at
    # most log(n/l). A nat of all the gaps takes less than two steps.
    gap = math.log(2 * len(wins) ** 2) + np.log(np.max(wins)) - np.log(np.min(wins[wins > 0]))
    for _ in range(100 + math.ceil(2 * (len(wins) - 1) * gap)):
        p = bradley_terry(strengths[:, None], strengths)
        # Surprising wins less surprising losses: wins less expected wins, without cancellation.
        gradient = np.sum(wins * p.T - wins.T * p, axis=1)
        # The gradient sums to 0; with a constant added to the singular matrix, so does the step.
        information = bradley_terry_information(strengths, games)
        step = np.linalg.solve(information + np.mean(np.diag(information)), gradient)
        reach = float(np.ptp(step))
        strengths = strengths + step / (1 + reach / 2)
        if reach < 1e-8:  # the error is of the order of its square
            break
    else:
        raise ArithmeticError(f"the strengths must settle; the last step still had reach {reach}")
    return BradleyTerryFit(strengths, np.linalg.pinv(information))


def strength_intervals(fit: BradleyTerryFit, *, confidence: float = 0.95) -> Floats:
    """Give confidence intervals of the strengths, from the Fisher information.

    Parameters
    ----------
    fit : BradleyTerryFit
        A fit.
    confidence : float
        Probability, in (0, 1), with which each interval is meant to hold its strength.

    Returns
    -------
    ndarray, shape (n, 2)
        Lower and upper ends, in nats.

    Raises
    ------
    ValueError
        If the confidence is not in (0, 1).

    Notes
    -----
    They are about strengths less the mean of all; another zero, such as one item's strength, gives
    intervals of other lengths. Two items are to be compared by `difference_errors`, not by whether
    their intervals overlap.

    Examples
    --------
    >>> from primer_ref.preferences import fit_bradley_terry, strength_intervals
    >>> fit = fit_bradley_terry([[0, 60], [40, 0]])
    >>> print(strength_intervals(fit).round(4))
    [[ 0.0027  0.4028]
     [-0.4028 -0.0027]]
    """
    check_share(confidence, "confidence")
    half = normal_quantile(confidence) * np.sqrt(np.diag(fit.covariance))
    return np.stack([fit.strengths - half, fit.strengths + half], axis=1)


def difference_errors(fit: BradleyTerryFit) -> Floats:
    r"""Give the standard errors of all differences, :math:`\sqrt{C_{ii} + C_{jj} - 2C_{ij}}`.

    Parameters
    ----------
    fit : BradleyTerryFit
        A fit.

    Returns
    -------
    ndarray, shape (n, n)
        In nats; the same whatever zero the strengths are counted from.

    Examples
    --------
    >>> from primer_ref.preferences import difference_errors, fit_bradley_terry
    >>> print(difference_errors(fit_bradley_terry([[0, 60], [40, 0]])).round(4))
    [[0.     0.2041]
     [0.2041 0.    ]]
    """
    variance = np.diag(fit.covariance)
    return np.asarray(np.sqrt(variance[:, None] + variance - 2 * fit.covariance))


def elo_update(
    rating: float, opponent: float, *, score: float, k: float = 32.0
) -> tuple[float, float]:
    r"""Move two Elo ratings after one game, by K times the surprise.

    .. math:: R \leftarrow R + K (S - E), \qquad E = \frac{1}{1 + 10^{(R' - R)/400}}.

    Parameters
    ----------
    rating : float
        Rating R of one player.
    opponent : float
        Rating R′ of the other.
    score : float
        Result S of the one: 1 for a win, ½ for a draw, 0 for a loss.
    k : float
        Step size K, positive.

    Returns
    -------
    rating, opponent : float
        The new ratings; their sum stays.

    Raises
    ------
    ValueError
        If the score is not in [0, 1], or K is not positive and finite.

    Notes
    -----
    A rating is a strength in units of ln(10)/400 nats, E the Bradley–Terry probability, and S − E
    the derivative of the game's log-likelihood: one step of stochastic gradient ascent, of length
    K ln(10)/400 in nats. With K fixed the ratings never settle, and depend on the games' order.

    References
    ----------
    A. E. Elo (1978), The Rating of Chessplayers, Past and Present.

    Examples
    --------
    >>> from primer_ref.preferences import elo_update
    >>> elo_update(1500.0, 1500.0, score=1.0)
    (1516.0, 1484.0)
    """
    if not 0 <= score <= 1:
        raise ValueError(f"score must be in [0, 1]; got {score}")
    check_positive_finite(k, "k")
    nats = math.log(10) / 400
    moved = k * (score - float(bradley_terry(nats * rating, nats * opponent)))
    return rating + moved, opponent - moved
