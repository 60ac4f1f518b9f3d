r"""Two impossibility theorems about fairness, as identities that every group satisfies by itself.

They are kept apart. Kleinberg, Mullainathan and Raghavan's is about scores that are calibrated and
balanced; Chouldechova's is about yes-or-no decisions and their error rates. In each, what is
impossible is that groups with different base rates share the other terms of the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_share
from primer_ref.functional import as_floats
from primer_ref.information import probabilities

__all__ = [
    "ConfusionRates",
    "ScoreBalance",
    "calibration_residuals",
    "chouldechova_fpr",
    "confusion_rates",
    "score_balance",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ConfusionRates:
    """Rates of right and wrong among yes-or-no decisions about one group.

    Attributes
    ----------
    base_rate : float
        Share p of positives.
    ppv : float
        Positive predictive value: share of positives among those decided positive.
    fpr : float
        False positive rate: share decided positive among the negatives.
    fnr : float
        False negative rate: share decided negative among the positives.
    """

    base_rate: float
    ppv: float
    fpr: float
    fnr: float


def confusion_rates(labels: ArrayLike, decisions: ArrayLike) -> ConfusionRates:
    """Count the rates of right and wrong decisions about one group.

    Parameters
    ----------
    labels : array_like of bool, shape (n,)
        What is so.
    decisions : array_like of bool, shape (n,)
        What was decided.

    Returns
    -------
    ConfusionRates
        The four rates.

    Raises
    ------
    ValueError
        If the two are not rows of one length, or a rate has nothing to divide by: no positive, no
        negative, or no positive decision.

    Notes
    -----
    Implements :eq:`eq-confusion-rates`.

    Examples
    --------
    >>> from primer_ref.fairness import confusion_rates
    >>> confusion_rates([True, True, False, False], [True, False, True, False])
    ConfusionRates(base_rate=0.5, ppv=0.5, fpr=0.5, fnr=0.5)
    """
    labels, decisions = _flags(labels, "labels"), _flags(decisions, "decisions")
    if labels.shape != decisions.shape or labels.ndim != 1:
        raise ValueError(
            f"there must be one decision a label; got shapes {decisions.shape} and {labels.shape}"
        )
    positive, flagged, hit = labels.sum(), decisions.sum(), (labels & decisions).sum()
    negative = labels.size - positive
    if min(positive, negative, flagged) == 0:
        raise ValueError(
            "there must be a positive, a negative and a positive decision; "
            f"got {positive}, {negative} and {flagged}"
        )
    return ConfusionRates(
        base_rate=float(positive / labels.size),
        ppv=float(hit / flagged),
        fpr=float((flagged - hit) / negative),
        fnr=float((positive - hit) / positive),
    )


def _flags(flags: ArrayLike, name: str) -> NDArray[np.bool_]:
    flags = np.asarray(flags)
    if not np.all((flags == 0) | (flags == 1)):
        raise ValueError(f"{name} must be True or False, or 0 or 1")
    return flags.astype(bool)


def chouldechova_fpr(base_rate: float, *, ppv: float, fnr: float) -> float:
    r"""Compute the false positive rate to which the other three rates of a group commit it.

    .. math:: \mathrm{FPR} = \frac{p}{1 - p}\,\frac{1 - \mathrm{PPV}}{\mathrm{PPV}}\,
        (1 - \mathrm{FNR}).

    Parameters
    ----------
    base_rate : float
        Share p of positives, in (0, 1).
    ppv : float
        Positive predictive value, in (0, 1].
    fnr : float
        False negative rate, in [0, 1].

    Returns
    -------
    float
        The false positive rate. Above 1 where no decisions have these rates; 0 at a false negative
        rate of 1, which none with a PPV above 0 have either.

    Raises
    ------
    ValueError
        If a rate is out of its range.

    Notes
    -----
    Count the false positives twice: (1 − p) FPR of the group, and (1 − PPV)/PPV times the true
    positives, p (1 − FNR). Two groups with different p that share PPV < 1 and FNR < 1 therefore
    differ in FPR. A PPV of 0 says nothing about the FPR and is refused.

    Implements :eq:`eq-chouldechova`.

    References
    ----------
    A. Chouldechova (2017), Fair Prediction with Disparate Impact: A Study of Bias in Recidivism
    Prediction Instruments.

    Examples
    --------
    >>> from primer_ref.fairness import chouldechova_fpr
    >>> [round(chouldechova_fpr(p, ppv=0.6, fnr=0.4), 3) for p in (0.3, 0.5)]
    [0.171, 0.4]
    """
    check_share(base_rate, "base_rate")
    if not (0 < ppv <= 1 and 0 <= fnr <= 1):
        raise ValueError(f"ppv must be in (0, 1] and fnr in [0, 1]; got {ppv} and {fnr}")
    return base_rate / (1 - base_rate) * (1 - ppv) / ppv * (1 - fnr)


def calibration_residuals(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """Measure, at each score that occurs, the share of positives less the score.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores in [0, 1] of the members of one group.
    labels : array_like of bool, shape (n,)
        Which of them are positive.

    Returns
    -------
    ndarray, shape (number of different scores,)
        In order of the scores; all 0 exactly when the scores are calibrated within the group.

    Raises
    ------
    ValueError
        If the two are not rows of one length, or a score is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-group-calibration`.

    Examples
    --------
    >>> from primer_ref.fairness import calibration_residuals
    >>> print(calibration_residuals([0.5, 0.5, 0.75], [True, False, True]))
    [0.   0.25]
    """
    scores, labels = _group(scores, labels)
    values, place = np.unique(scores, return_inverse=True)
    return np.bincount(place, weights=labels) / np.bincount(place) - values


def _group(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    scores, labels = as_floats(scores), _flags(labels, "labels")
    if scores.shape != labels.shape or scores.ndim != 1 or scores.size == 0:
        raise ValueError(
            f"there must be one score a label; got shapes {scores.shape} and {labels.shape}"
        )
    return probabilities(scores, "scores"), labels


@dataclass(frozen=True, slots=True)
class ScoreBalance:
    r"""Mean scores of a group's positives and negatives, and its base rate.

    Attributes
    ----------
    base_rate : float
        Share p of positives.
    positive_mean : float
        Mean score :math:`\bar s^+` of the positives.
    negative_mean : float
        Mean score :math:`\bar s^-` of the negatives.

    Notes
    -----
    Implements :eq:`eq-score-line`.
    """

    base_rate: float
    positive_mean: float
    negative_mean: float

    @property
    def residual(self) -> float:
        r"""Mean score less base rate, :math:`(1 - p) \bar s^- - p\,(1 - \bar s^+)`."""
        negatives = (1 - self.base_rate) * self.negative_mean
        return negatives - self.base_rate * (1 - self.positive_mean)


def score_balance(scores: ArrayLike, labels: ArrayLike) -> ScoreBalance:
    r"""Average a group's scores over its positives and over its negatives.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores in [0, 1] of the members of one group.
    labels : array_like of bool, shape (n,)
        Which of them are positive.

    Returns
    -------
    ScoreBalance
        Two groups are balanced when they agree in both means.

    Raises
    ------
    ValueError
        If the two are not rows of one length, a score is not in [0, 1], or there is no positive or
        no negative.

    Notes
    -----
    A calibrated group lies on the line :math:`(1 - p)\,\bar s^- = p\,(1 - \bar s^+)`. The lines of
    two base rates meet only at :math:`\bar s^+ = 1`, :math:`\bar s^- = 0`: calibrated and balanced,
    groups with different base rates are predicted perfectly.

    Implements :eq:`eq-score-balance`.

    References
    ----------
    J. Kleinberg, S. Mullainathan and M. Raghavan (2017), Inherent Trade-Offs in the Fair
    Determination of Risk Scores.

    Examples
    --------
    >>> from primer_ref.fairness import score_balance
    >>> group = score_balance([0.5, 0.5, 1.0], [True, False, True])
    >>> group.positive_mean, group.negative_mean, abs(group.residual) < 1e-15
    (0.75, 0.5, True)
    """
    scores, labels = _group(scores, labels)
    if np.all(labels) or not np.any(labels):
        raise ValueError(f"there must be a positive and a negative; got {labels.sum()} positives")
    return ScoreBalance(
        base_rate=float(np.mean(labels)),
        positive_mean=float(np.mean(scores[labels])),
        negative_mean=float(np.mean(scores[~labels])),
    )
