r"""How reliable a chain of steps is, and what checking and repeating its steps changes.

Steps and attempts are independent throughout: an assumption, and the first thing to doubt where one
model takes all steps, and perhaps also checks them.
"""

from __future__ import annotations

import math

from primer_ref.checks import check_nonnegative, check_probability

__all__ = ["expected_tries", "success_probability", "verified_success"]


def success_probability(p: float, *, steps: int) -> float:
    r"""Probability that a chain of independent steps has no failure, :math:`p^n`.

    Parameters
    ----------
    p : float
        Probability that a step succeeds.
    steps : int
        Number of steps n.

    Returns
    -------
    float
        The probability; at most :math:`e^{-n(1-p)}`, and near it if :math:`n(1-p)^2` is small.

    Raises
    ------
    ValueError
        If ``p`` is not in [0, 1] or ``steps`` is negative.

    Notes
    -----
    Implements :eq:`eq-chain-success`.

    Examples
    --------
    >>> from primer_ref.reliability import success_probability
    >>> [round(success_probability(p, steps=20), 4) for p in (0.9, 0.95, 0.99)]
    [0.1216, 0.3585, 0.8179]
    """
    check_probability(p, "p")
    check_nonnegative(steps, "steps")
    return p**steps


def _rejected(p: float, miss: float, false_alarm: float, tries: int) -> float:
    """Compute the probability that a verifier sends an attempt back."""
    for name, value in (("p", p), ("miss", miss), ("false_alarm", false_alarm)):
        check_probability(value, name)
    if tries < 1:
        raise ValueError(f"tries must be at least 1; got {tries}")
    return p * false_alarm + (1 - p) * (1 - miss)


def verified_success(p: float, *, miss: float, false_alarm: float, tries: int) -> float:
    r"""Probability that a step ends right when a verifier lets it be tried again.

    An attempt is right with probability p, passes with :math:`p(1-f) + (1-p)m`, and else, with
    :math:`\rho = pf + (1-p)(1-m)`, is tried again, up to r times in all:

    .. math::
        p\,(1 - f)\, \left(1 + \rho + \dots + \rho^{r-1}\right) .

    Parameters
    ----------
    p : float
        Probability that an attempt is right; attempts are independent.
    miss : float
        Probability m that a wrong attempt passes.
    false_alarm : float
        Probability f that a right attempt is sent back.
    tries : int
        Largest number of attempts r; a step whose last one is sent back has failed.

    Returns
    -------
    float
        With no end of tries it would be p(1 − f)/(p(1 − f) + (1 − p)m): repetition takes errors
        away only as far as the verifier sees them.

    Raises
    ------
    ValueError
        If a probability is not in [0, 1] or ``tries`` is below 1.

    Notes
    -----
    Implements :eq:`eq-verified-success`.

    Put it in place of p into `success_probability` for a chain of verified steps.

    Examples
    --------
    >>> from primer_ref.reliability import success_probability, verified_success
    >>> p = verified_success(0.9, miss=0.1, false_alarm=0.05, tries=3)
    >>> [round(success_probability(each, steps=20), 4) for each in (0.9, p)]
    [0.1216, 0.7544]
    """
    again = _rejected(p, miss, false_alarm, tries)
    return p * (1 - false_alarm) * math.fsum(again**k for k in range(tries))


def expected_tries(p: float, *, miss: float, false_alarm: float, tries: int) -> float:
    r"""Mean number of attempts of a verified step, :math:`1 + \rho + \dots + \rho^{r-1}`.

    Parameters
    ----------
    p : float
        Probability that an attempt is right; attempts are independent.
    miss : float
        Probability m that a wrong attempt passes.
    false_alarm : float
        Probability f that a right attempt is sent back.
    tries : int
        Largest number of attempts r.

    Returns
    -------
    float
        Attempts, each of which costs what a step costs, and a verification.

    Raises
    ------
    ValueError
        If a probability is not in [0, 1] or ``tries`` is below 1.

    Notes
    -----
    Implements :eq:`eq-expected-tries`.

    Examples
    --------
    >>> from primer_ref.reliability import expected_tries
    >>> print(f"{expected_tries(0.9, miss=0.1, false_alarm=0.05, tries=3):.4f}")
    1.1532
    """
    again = _rejected(p, miss, false_alarm, tries)
    return math.fsum(again**k for k in range(tries))
