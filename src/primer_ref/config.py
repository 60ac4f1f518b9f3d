"""Sizes of a decoder, in the book's letters."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from primer_ref.checks import check_positive_finite

__all__ = ["Config"]


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of a model.

    Attributes
    ----------
    n_layers : int
        Number of layers, L.
    width : int
        Size of the vector that stands for a token between layers, C.
    n_heads : int
        Number of query heads, H.
    n_kv_heads : int
        Number of key and value heads, K; each serves H / K query heads.
    head_size : int
        Size of a query or key, D.
    hidden : int
        Width of the feed-forward part, F.
    n_tokens : int
        Size of the vocabulary, V.
    context : int
        Longest sequence the model was trained for.
    rope_base : float
        Base of the rotary frequencies.
    eps : float
        What the norms add under the root.

    Raises
    ------
    ValueError
        If a size is not positive or a number not finite, heads do not divide into groups, or a
        head has an odd size.
    TypeError
        If a size is not a whole number, or another value no number.

    Examples
    --------
    >>> from primer_ref.config import Config
    >>> small = Config(
    ...     n_layers=2, width=64, n_heads=4, n_kv_heads=2, head_size=16, hidden=192,
    ...     n_tokens=256, context=128,
    ... )
    >>> small.n_heads // small.n_kv_heads  # query heads that share a key head, G
    2
    """

    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    head_size: int
    hidden: int
    n_tokens: int
    context: int
    rope_base: float = 10000.0
    eps: float = 1e-5

    def __post_init__(self) -> None:
        for name, field in self.__dataclass_fields__.items():
            value: Any = getattr(self, name)
            kind: type[Any] = Integral if field.type == "int" else Real
            if isinstance(value, bool) or not isinstance(value, kind):
                what = "whole number" if kind is Integral else "number"
                raise TypeError(f"{name} must be a {what}; got {value!r:.60}")
            check_positive_finite(value, name)
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                "n_heads must be a multiple of n_kv_heads, so that each serves as many; "
                f"got {self.n_heads} and {self.n_kv_heads}"
            )
        if self.head_size % 2:
            raise ValueError(
                f"head_size must be even, so that rotary positions have pairs; got {self.head_size}"
            )
