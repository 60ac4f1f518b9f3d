"""The rules that a number must keep, each said once.

A size, a rate or a probability that breaks its rule gives a wrong number silently further on, so it
is refused where it comes in, with the rule, its name and its value. Each rule is written so that
NaN breaks it too. The rules of whole arrays stand with what reads the arrays.
"""

from __future__ import annotations

import math

__all__ = [
    "check_nonnegative",
    "check_nonnegative_finite",
    "check_positive",
    "check_positive_finite",
    "check_probability",
    "check_share",
]


def check_positive(value: float, name: str) -> None:
    """Refuse a number that is not above 0.

    Parameters
    ----------
    value : float
        A size, a duration, a rate; infinity is one too.
    name : str
        What the caller calls it; the message begins with it.

    Returns
    -------
    None
        A value that keeps the rule goes through.

    Raises
    ------
    ValueError
        If it is 0, negative or NaN.

    Examples
    --------
    >>> from primer_ref.checks import check_positive
    >>> check_positive(768, "width")
    >>> check_positive(0, "width")
    Traceback (most recent call last):
        ...
    ValueError: width must be positive; got 0
    """
    if not value > 0:
        raise ValueError(f"{name} must be positive; got {value}")


def check_positive_finite(value: float, name: str) -> None:
    """Refuse a number that is not above 0, and infinity.

    Parameters
    ----------
    value : float
        A number that is divided by and multiplied with.
    name : str
        What the caller calls it; the message begins with it.

    Returns
    -------
    None
        A value that keeps the rule goes through.

    Raises
    ------
    ValueError
        If it is 0, negative, infinite or NaN.

    Examples
    --------
    >>> from math import inf
    >>> from primer_ref.checks import check_positive_finite
    >>> check_positive_finite(0.1, "beta")
    >>> check_positive_finite(inf, "beta")
    Traceback (most recent call last):
        ...
    ValueError: beta must be positive and finite; got inf
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value}")


def check_nonnegative(value: float, name: str) -> None:
    """Refuse a number below 0.

    Parameters
    ----------
    value : float
        A number of things or an amount, of which there may be none.
    name : str
        What the caller calls it; the message begins with it.

    Returns
    -------
    None
        A value that keeps the rule goes through.

    Raises
    ------
    ValueError
        If it is negative or NaN.

    Examples
    --------
    >>> from primer_ref.checks import check_nonnegative
    >>> check_nonnegative(0, "n_past")
    >>> check_nonnegative(-1, "n_past")
    Traceback (most recent call last):
        ...
    ValueError: n_past must not be negative; got -1
    """
    if not value >= 0:
        raise ValueError(f"{name} must not be negative; got {value}")


def check_nonnegative_finite(value: float, name: str) -> None:
    """Refuse a number below 0, and infinity.

    Parameters
    ----------
    value : float
        An amount or a rate that may be 0.
    name : str
        What the caller calls it; the message begins with it.

    Returns
    -------
    None
        A value that keeps the rule goes through.

    Raises
    ------
    ValueError
        If it is negative, infinite or NaN.

    Examples
    --------
    >>> from primer_ref.checks import check_nonnegative_finite
    >>> check_nonnegative_finite(0.0, "rate")
    >>> check_nonnegative_finite(-0.5, "rate")
    Traceback (most recent call last):
        ...
    ValueError: rate must be finite and not negative; got -0.5
    """
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and not negative; got {value}")


def check_probability(value: float, name: str) -> None:
    """Refuse a number that is not a probability.

    Parameters
    ----------
    value : float
        A probability; impossible and certain are allowed.
    name : str
        What the caller calls it; the message begins with it.

    Returns
    -------
    None
        A value that keeps the rule goes through.

    Raises
    ------
    ValueError
        If it is not in [0, 1].

    Examples
    --------
    >>> from primer_ref.checks import check_probability
    >>> check_probability(1, "p")
    >>> check_probability(1.5, "p")
    Traceback (most recent call last):
        ...
    ValueError: p must be a probability in [0, 1]; got 1.5
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be a probability in [0, 1]; got {value}")


def check_share(value: float, name: str) -> None:
    """Refuse a share that is none, all, or no share.

    Parameters
    ----------
    value : float
        A share, of which something is to be left on both sides.
    name : str
        What the caller calls it; the message begins with it.

    Returns
    -------
    None
        A value that keeps the rule goes through.

    Raises
    ------
    ValueError
        If it is not strictly between 0 and 1.

    Examples
    --------
    >>> from primer_ref.checks import check_share
    >>> check_share(0.95, "confidence")
    >>> check_share(1, "confidence")
    Traceback (most recent call last):
        ...
    ValueError: confidence must lie strictly between 0 and 1; got 1
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1; got {value}")
