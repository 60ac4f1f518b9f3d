# ruff: noqa: ARG001, ARG005 - a rule is given the whole call, and uses what it needs
"""The vector–Jacobian rules of differentiation: what each operation does to a gradient.

Let y = f(a, b, …), and let g be the gradient of a scalar with respect to y. The rule of an argument
takes g, y and the arguments of the call, and returns the gradient with respect to that argument.
Where the operation had broadcast the argument, the rule returns the gradient of the broadcast copy;
`primer_ref.autodiff` adds up over the copies. Rules are written with the operations that have
rules, so that gradients can be differentiated again. The gradient with respect to a complex number
a + ib is ∂/∂a + i ∂/∂b: the chain rule of complex slopes holds for its conjugate, and the conjugate
is what rules take and return.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from types import EllipsisType
from typing import Any, TypeVar, cast

import numpy as np

__all__ = ["COMPOSED", "CONSTANT", "RULES", "differentiable", "reinterpret", "scatter"]

Rule = Callable[..., Any]
F = TypeVar("F", bound=Callable[..., Any])


def differentiable(*rules: Rule | None) -> Callable[[F], F]:
    """Give a function of arrays its own rules, where NumPy's operations cannot or should not serve.

    Parameters
    ----------
    *rules
        The rule of each argument, called with the gradient of the result, the result, and what the
        function was called with; None for an argument that is not differentiated.

    Returns
    -------
    callable
        A decorator. The decorated function is called with arrays, also where a tensor records.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import grad
    >>> from primer_ref.autodiff_rules import differentiable
    >>> @differentiable(lambda g, y, x: g)
    ... def round_straight_through(x):
    ...     return np.round(x)
    >>> float(grad(lambda x: round_straight_through(x) ** 2)(1.2))
    2.0
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def dispatched(*args: Any, **options: Any) -> Any:
            for arg in args[: len(rules)]:
                if not isinstance(arg, np.ndarray) and hasattr(arg, "__array_function__"):
                    return arg.__array_function__(dispatched, (type(arg),), args, options)
            return function(*args, **options)

        dispatched.rules = rules  # type: ignore[attr-defined]
        return cast("F", dispatched)

    return decorate


# --- Operations that NumPy lacks -------------------------------------------------------------


def _names_a_place_twice(index: Any) -> bool:
    """Whether an index might name one entry several times: only lists of integers can."""
    parts = index if isinstance(index, tuple) else (index,)
    basic = (int, np.integer, slice, EllipsisType, type(None))
    return not all(isinstance(i, basic) or getattr(i, "dtype", None) == np.bool for i in parts)


@differentiable(lambda h, y, g, index, shape: h[index])
def scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Add an array into zeros at an index: the transpose of reading at that index.

    Parameters
    ----------
    g : ndarray
        What is added.
    index : int, slice, ndarray of int or bool, None, Ellipsis or tuple of these
        Where.
    shape : tuple of int
        Shape of the result.

    Returns
    -------
    ndarray
        A place that the index names several times gets the sum of what was meant for it.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff_rules import scatter
    >>> print(scatter(np.array([1.0, 10.0, 100.0]), np.array([2, 0, 2]), (4,)))
    [ 10.   0. 101.   0.]
    """
    out = np.zeros(shape, g.dtype)
    if _names_a_place_twice(index):
        np.add.at(out, index, g)
    else:
        out[index] = g
    return out


def _reinterpret(g: Any, y: Any, x: Any, dtype: Any) -> Any:
    return np.conjugate(reinterpret(np.conjugate(g), x.dtype))


@differentiable(_reinterpret)
def reinterpret(x: Any, dtype: Any) -> Any:
    r"""Read pairs of real numbers as complex numbers, or complex numbers as pairs.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Numbers.
    dtype : dtype
        How to read them; of the same precision.

    Returns
    -------
    ndarray, shape (..., n / 2) or (..., 2 n)
        The same memory where x is contiguous.

    Raises
    ------
    TypeError
        If they are not floating-point numbers of that precision.
    ValueError
        If an odd number of real numbers is to be read in pairs.

    Notes
    -----
    The gradient with respect to a complex number is :math:`\partial/\partial a + \mathrm{i}\,
    \partial/\partial b` for a + ib: the same pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff_rules import reinterpret
    >>> print(reinterpret(np.array([1.0, 2.0, 3.0, 4.0]), np.complex128))
    [1.+2.j 3.+4.j]
    """
    x, one = np.ascontiguousarray(x), np.empty(0, dtype)
    if x.dtype.kind not in "fc" or x.real.dtype != one.real.dtype:
        raise TypeError(f"numbers are read in their own precision; got {x.dtype} as {one.dtype}")
    return x.view(dtype)


# --- Rules of more than a line ---------------------------------------------------------------


def _spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Give every entry of x that was reduced the value of the reduction."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, x.shape)


def _sum(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims)


def _mean(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _spread(g / (x.size // y.size), x, axis, keepdims)


def _extreme(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Share the gradient out among the largest (or smallest) entries, in equal parts."""
    reached = np.equal(x, _spread(y, x, axis, keepdims)).astype(x.dtype)
    share = reached / np.sum(reached, axis=axis, keepdims=True)
    return _spread(g, x, axis, keepdims) * share


def _chosen(g: Any, y: Any, x: Any, other: Any) -> Any:
    """Part of the gradient for x where y is the larger (or smaller) of two: half of it at a tie."""
    return np.where(np.equal(x, other), g / 2, np.where(np.equal(x, y), g, 0))


def _weight(x: Any, y: Any) -> Any:
    """Share of x in y = log(exp(x) + exp(other)); nothing where both are −∞."""
    return np.exp(x - np.where(np.equal(y, -np.inf), 0, y))


def _power_base(g: Any, y: Any, a: Any, b: Any) -> Any:
    less = b - 1
    if not np.all(b):  # 0⁰ is constant in its base, though a power less by one is infinite there
        less = np.where(np.logical_and(np.equal(a, 0), np.equal(b, 0)), 0, less)
    return g * b * a**less


def _matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b
    if a.ndim == 1:
        return np.squeeze(b @ np.expand_dims(g, -1), -1)
    return g @ np.swapaxes(b, -1, -2)


def _matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return np.reshape(g, (-1,)) @ np.reshape(a, (-1, a.shape[-1]))
    if b.ndim == 2:  # one product over all rows, instead of one a batch and a sum
        rows = np.reshape(a, (-1, a.shape[-1]))
        return np.swapaxes(rows, 0, 1) @ np.reshape(g, (-1, g.shape[-1]))
    if a.ndim == 1:
        return np.expand_dims(a, -1) * np.expand_dims(g, -2)
    return np.swapaxes(a, -1, -2) @ g


def _transpose(g: Any, y: Any, x: Any, axes: Any = None) -> Any:
    return np.transpose(g, None if axes is None else np.argsort(np.mod(axes, x.ndim)))


def _cumsum(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    return np.reshape(np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis), x.shape)


def _clip(g: Any, y: Any, x: Any, a_min: Any, a_max: Any) -> Any:
    return np.where(np.equal(x, y), g, 0)


def _concatenate(g: Any, y: Any, arrays: Any, axis: int = 0) -> Any:
    ends = np.cumsum([array.shape[axis] for array in arrays])
    return np.split(g, ends[:-1], axis=axis)


#: The rules of each operation, one an argument.
RULES: dict[Callable[..., Any], tuple[Rule | None, ...]] = {
    # Arithmetic
    np.positive: (lambda g, y, x: g,),
    np.negative: (lambda g, y, x: -g,),
    np.add: (lambda g, y, a, b: g, lambda g, y, a, b: g),
    np.subtract: (lambda g, y, a, b: g, lambda g, y, a, b: -g),
    np.multiply: (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    np.divide: (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b),
    np.power: (_power_base, lambda g, y, a, b: g * y * np.log(a)),
    np.matmul: (_matmul_left, _matmul_right),
    np.conjugate: (lambda g, y, x: np.conjugate(g),),
    # Functions of one number
    np.square: (lambda g, y, x: 2 * g * x,),
    np.sqrt: (lambda g, y, x: g / (2 * y),),
    np.absolute: (lambda g, y, x: g * np.conjugate(np.sign(x)),),
    np.exp: (lambda g, y, x: g * y,),
    np.expm1: (lambda g, y, x: g * (y + 1),),
    np.log: (lambda g, y, x: g / x,),
    np.log1p: (lambda g, y, x: g / (1 + x),),
    np.sin: (lambda g, y, x: g * np.cos(x),),
    np.cos: (lambda g, y, x: -g * np.sin(x),),
    np.tanh: (lambda g, y, x: g * (1 - y * y),),
    # Choices
    np.maximum: (
        _chosen,
        lambda g, y, a, b: _chosen(g, y, b, a),
    ),
    np.minimum: (
        _chosen,
        lambda g, y, a, b: _chosen(g, y, b, a),
    ),
    np.logaddexp: (lambda g, y, a, b: g * _weight(a, y), lambda g, y, a, b: g * _weight(b, y)),
    np.where: (
        None,
        lambda g, y, chosen, a, b: np.where(chosen, g, 0),
        lambda g, y, chosen, a, b: np.where(chosen, 0, g),
    ),
    np.clip: (_clip,),
    # Reductions
    np.sum: (_sum,),
    np.mean: (_mean,),
    np.max: (_extreme,),
    np.min: (_extreme,),
    np.cumsum: (_cumsum,),
    # Places
    operator.getitem: (lambda g, y, x, index: scatter(g, index, x.shape),),
    np.reshape: (lambda g, y, x, shape: np.reshape(g, x.shape),),
    np.expand_dims: (lambda g, y, x, axis: np.reshape(g, x.shape),),
    np.squeeze: (lambda g, y, x, axis=None: np.reshape(g, x.shape),),
    np.transpose: (_transpose,),
    np.swapaxes: (lambda g, y, x, a, b: np.swapaxes(g, a, b),),
    np.flip: (lambda g, y, x, axis=None: np.flip(g, axis),),
    np.broadcast_to: (lambda g, y, x, shape: g,),
    np.concatenate: (_concatenate,),
    np.tril: (lambda g, y, x, k=0: np.tril(g, k),),
    np.triu: (lambda g, y, x, k=0: np.triu(g, k),),
    np.astype: (lambda g, y, x, dtype, copy=True: g,),
}

# --- Operations that are others in a row -----------------------------------------------------


def _along(axis: int, ndim: int, index: Any) -> tuple[Any, ...]:
    """Write the index that reads along one axis."""
    return (slice(None),) * (axis % ndim) + (index,)


def _stack(arrays: Any, axis: int = 0) -> Any:
    return np.concatenate([np.expand_dims(array, axis) for array in arrays], axis=axis)


def _split(x: Any, sections: Any, axis: int = 0) -> Any:
    places = np.split(np.arange(x.shape[axis]), sections)
    ends = np.cumsum([len(part) for part in places])
    cuts = [slice(end - len(part), end) for part, end in zip(places, ends, strict=True)]
    return [x[_along(axis, x.ndim, cut)] for cut in cuts]


def _take(x: Any, indices: Any, axis: int | None = None) -> Any:
    if axis is None:
        return np.reshape(x, (-1,))[indices]
    return x[_along(axis, x.ndim, indices)]


def _take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    places = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    places[axis] = indices
    return x[tuple(places)]


def _repeat(x: Any, repeats: int, axis: int) -> Any:
    axis %= x.ndim
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    copies = np.broadcast_to(np.expand_dims(x, axis + 1), (*before, n, repeats, *after))
    return np.reshape(copies, (*before, n * repeats, *after))


def _outer(a: Any, b: Any) -> Any:
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


#: Operations that are made of others, with how.
COMPOSED: dict[Callable[..., Any], Callable[..., Any]] = {
    np.outer: _outer,
    np.ravel: lambda x: np.reshape(x, (-1,)),
    np.repeat: _repeat,
    np.split: _split,
    np.stack: _stack,
    np.take: _take,
    np.take_along_axis: _take_along_axis,
}

#: Operations whose results are plain arrays, without a gradient.
CONSTANT: frozenset[Callable[..., Any]] = frozenset(
    {
        *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
        *(np.isfinite, np.isinf, np.isnan, np.logical_and, np.logical_or, np.logical_not),
        *(np.all, np.any, np.allclose, np.array_equal, np.count_nonzero, np.iscomplexobj),
        *(np.sign, np.signbit, np.floor, np.ceil, np.rint, np.trunc),
        *(np.argmax, np.argmin, np.argsort, np.argpartition, np.searchsorted),
        *(np.zeros_like, np.ones_like, np.empty_like, np.full_like),
        *(np.shape, np.ndim, np.size, np.result_type),
    }
)
