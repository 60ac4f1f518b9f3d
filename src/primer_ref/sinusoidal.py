"""The sinusoidal encoding of positions, and what becomes of it in the scores.

Added to the tokens, it meets them in attention's products: of the four terms that result, one
depends on positions alone, and even that one on their offset only for special weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats
from primer_ref.positions import rotary, rotary_frequencies, turns_at

__all__ = ["ScoreTerms", "score_terms", "sinusoidal", "sinusoidal_shift"]

Floats = NDArray[np.floating[Any]]


def sinusoidal(positions: ArrayLike, width: int, *, base: float = 10000.0) -> NDArray[np.float64]:
    r"""Encode positions as sines and cosines of geometric frequencies.

    With :math:`\theta_i = b^{-2i/C}`, coordinates 2i and 2i + 1 of position t are
    :math:`\sin t\theta_i` and :math:`\cos t\theta_i`.

    Parameters
    ----------
    positions : array_like, shape (T,)
        Positions t.
    width : int
        Model width C, even.
    base : float
        The base b of the frequencies.

    Returns
    -------
    ndarray, shape (T, C)
        Rows of squared norm C / 2, to be added to the token vectors.

    Raises
    ------
    ValueError
        If the width is not a positive even number, or the base not positive.

    Notes
    -----
    Implements :eq:`eq-sinusoidal`.

    The dot product of two rows is :math:`\sum_i \cos((t - s)\theta_i)`: it depends on the offset
    only. What attention forms of them does not, see `score_terms`.

    References
    ----------
    Vaswani et al. (2017), Attention Is All You Need, section 3.5.

    Examples
    --------
    >>> from primer_ref.sinusoidal import sinusoidal
    >>> print(sinusoidal([0, 1], 4, base=100.0).round(3))
    [[0.    1.    0.    1.   ]
     [0.841 0.54  0.1   0.995]]
    """
    turns = turns_at(positions, rotary_frequencies(width, base=base))  # (T, C / 2)
    return np.stack([turns.imag, turns.real], axis=-1).reshape(len(turns), width)


def sinusoidal_shift(shift: float, width: int, *, base: float = 10000.0) -> Floats:
    r"""Find the rotation that takes every sinusoidal encoding to the one some positions later.

    Parameters
    ----------
    shift : float
        Number of positions k.
    width : int
        Model width C, even.
    base : float
        The base of the frequencies.

    Returns
    -------
    ndarray, shape (C, C)
        Orthogonal and block-diagonal; ``sinusoidal(t) @ matrix`` is ``sinusoidal(t + k)`` for
        every t.

    Raises
    ------
    ValueError
        If the width is not a positive even number, or the base not positive.

    Notes
    -----
    Implements :eq:`eq-sinusoidal-shift`.

    The pair (sin, cos) is (cos, sin) mirrored, so it turns the other way: by −kθ.

    Examples
    --------
    >>> from primer_ref.sinusoidal import sinusoidal, sinusoidal_shift
    >>> print((sinusoidal([5], 4) @ sinusoidal_shift(2, 4) - sinusoidal([7], 4)).round(12))
    [[0. 0. 0. 0.]]
    """
    turns = turns_at(np.full(width, -shift), rotary_frequencies(width, base=base))
    return rotary(np.eye(width), turns)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTerms:
    """The four parts of the scores between tokens that positions were added to.

    Attributes
    ----------
    content_content : ndarray, shape (T, T)
        Token with token.
    content_position : ndarray, shape (T, T)
        Query's token with key's position.
    position_content : ndarray, shape (T, T)
        Query's position with key's token.
    position_position : ndarray, shape (T, T)
        Position with position.
    """

    content_content: Floats
    content_position: Floats
    position_content: Floats
    position_position: Floats


def score_terms(x: ArrayLike, p: ArrayLike, form: ArrayLike) -> ScoreTerms:
    r"""Expand the scores of tokens with positions, :math:`(x + p)\,W\,(x' + p')^\T`.

    Parameters
    ----------
    x : array_like, shape (T, C)
        Token vectors.
    p : array_like, shape (T, C)
        Position vectors.
    form : array_like, shape (C, C)
        The bilinear form W of a head, as `primer_ref.heads.qk_circuit` gives it.

    Returns
    -------
    ScoreTerms
        :math:`xWx'^\T`, :math:`xWp'^\T`, :math:`pWx'^\T` and :math:`pWp'^\T`; their sum is the
        matrix of scores.

    Notes
    -----
    Implements :eq:`eq-score-terms`.

    Only the last term is free of the tokens. For sinusoidal positions it is Toeplitz if W commutes
    with the rotations of `sinusoidal_shift`, such as the identity does; for another W it is not.

    Examples
    --------
    >>> from primer_ref.sinusoidal import score_terms
    >>> terms = score_terms([[1.0], [2.0]], [[10.0], [20.0]], [[1.0]])
    >>> print(terms.content_position)
    [[10. 20.]
     [20. 40.]]
    """
    x, p, form = as_floats(x), as_floats(p), as_floats(form)
    return ScoreTerms(x @ form @ x.T, x @ form @ p.T, p @ form @ x.T, p @ form @ p.T)
