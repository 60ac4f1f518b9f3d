"""Reverse-mode differentiation of functions written in NumPy.

A `Tensor` stands for an array and records what NumPy does with it. `grad` runs a function on
tensors and walks the record backward, from the result to the arguments; each operation hands the
gradient on by its vector–Jacobian rule, from the table in `primer_ref.autodiff_rules`. The rules
are NumPy functions too, so that a gradient can be differentiated again.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.autodiff_rules import COMPOSED, CONSTANT, RULES
from primer_ref.checks import check_positive
from primer_ref.functional import as_floats
from primer_ref.trees import tree_leaves, tree_map, tree_unflatten

__all__ = [
    "Tensor",
    "check_gradient",
    "grad",
    "hessian_vector_product",
    "jacobian",
    "unbroadcast",
    "value_and_grad",
    "vjp",
]

# An array, or a tensor where a gradient is differentiated again.
Array = Any
Call = tuple[Sequence[Any], Sequence[Any], dict[str, Any]]


class Tensor(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that records what NumPy's functions and operators do with it.

    Parameters
    ----------
    data : ndarray
        The value.
    call : tuple, optional
        The rules, arguments and options of the operation that made it; empty for a start.
    parents : sequence of Tensor
        The tensors among the arguments.

    Attributes
    ----------
    data : ndarray
        The value, without its record: what is made of it is a constant for the gradient.

    Notes
    -----
    Tensors are made by :func:`grad` and its relatives, which call the function with them. Nothing
    is written into a tensor: there are no assignments to entries, ``out=`` or ``+=``. Comparisons
    return plain arrays. Where a plain array is asked of a tensor (``np.asarray``, ``float``, an
    ``if``), it refuses: the gradient would be lost there without a word. So it does where a
    function has no rule, such as ``np.einsum``; the table is in `primer_ref.autodiff_rules`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import Tensor
    >>> x = Tensor(np.array([1.0, 2.0]))
    >>> np.exp(x).data.round(3), x > 1.5
    (array([2.718, 7.389]), array([False,  True]))
    """

    __slots__ = ("_args", "_options", "_parents", "_rules", "data")

    def __init__(self, data: Any, call: Call = ((), (), {}), parents: Sequence[Tensor] = ()):
        self.data = data
        self._rules, self._args, self._options = call
        self._parents = parents

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"a tensor has no rule for np.{ufunc.__name__}.{method}")
        return _record(ufunc, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return _record(function, args, options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise TypeError("a tensor must not become a plain array while it records; use .data")

    def __float__(self) -> float:
        raise TypeError("a tensor must not become a plain number while it records; use .data")

    __int__ = __index__ = __complex__ = __float__

    def __bool__(self) -> bool:
        raise TypeError("a tensor has no truth value; compare it, or use .data")

    def __repr__(self) -> str:
        return f"Tensor({self.data!r})"

    def __getitem__(self, index: Any) -> Any:
        return _record(operator.getitem, (self, index), {})

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return np.shape(self.data)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return np.ndim(self.data)

    @property
    def size(self) -> int:
        """Number of entries."""
        return np.size(self.data)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Format of the entries."""
        return np.result_type(self.data)

    @property
    def T(self) -> Any:
        """The transpose."""
        return np.transpose(self)

    def reshape(self, *shape: Any) -> Any:
        """Arrange the entries in another shape, given as lengths or as one tuple."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def swapaxes(self, first: int, second: int) -> Any:
        """Exchange two axes."""
        return np.swapaxes(self, first, second)

    def astype(self, dtype: Any, *, copy: bool = True) -> Any:
        """Change the format; the gradient comes back in the old one."""
        return _record(np.astype, (self, dtype), {"copy": copy})


def _plain(arg: Any) -> Any:
    """Take the values of tensors, also of those in a sequence."""
    if isinstance(arg, Tensor):
        return arg.data
    return type(arg)(map(_plain, arg)) if isinstance(arg, (list, tuple)) else arg


def _tensors(arg: Any) -> Sequence[Tensor]:
    """List the tensors that an argument is or, as a sequence of arrays, holds."""
    if isinstance(arg, Tensor):
        return (arg,)
    return [t for t in arg if isinstance(t, Tensor)] if isinstance(arg, (list, tuple)) else ()


def _serves(rule: Any, options: dict[str, Any]) -> bool:
    """Whether there is a rule, and it knows what to do with the options."""
    return bool(rule) and options.keys() <= set(rule.__code__.co_varnames)


def _record(function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """Do to the values what a function does, and note on the result how it was made."""
    if function in COMPOSED:
        return COMPOSED[function](*args, **options)
    values = [_plain(arg) for arg in args]
    if function is np.sign and np.iscomplexobj(values[0]):
        raise TypeError("a tensor has no rule for sign of complex numbers, which turns with them")
    if function in CONSTANT and not options.keys() & {"out", "where"}:
        return function(*values, **{name: _plain(option) for name, option in options.items()})
    rules: Sequence[Any] = RULES[function] if function in RULES else getattr(function, "rules", ())
    parents: list[Tensor] = []
    for place, arg in enumerate(args):
        tensors = _tensors(arg)
        if tensors and not (place < len(rules) and _serves(rules[place], options)):
            with_options = f" with {', '.join(options)}" if options else ""
            raise TypeError(
                f"a tensor has no rule for argument {place} of {function.__name__}{with_options}"
            )
        parents.extend(tensors)
    if any(map(_tensors, options.values())):
        raise TypeError(f"a tensor must be given by its place; {function.__name__} got one by name")
    value = function(*values, **options)
    if value.dtype.kind not in "fc":
        raise TypeError(f"a tensor must hold real numbers; {function.__name__} gave {value.dtype}")
    return Tensor(value, (rules, args, options), parents)


# --- The walk backward -----------------------------------------------------------------------


def unbroadcast(g: Array, shape: tuple[int, ...]) -> Array:
    """Add up over the copies that broadcasting made, so that a gradient has its array's shape.

    Parameters
    ----------
    g : ndarray
        Gradient with respect to the broadcast copy.
    shape : tuple of int
        Shape before broadcasting.

    Returns
    -------
    ndarray
        Of that shape.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import unbroadcast
    >>> print(unbroadcast(np.ones((2, 3)), (3,)), unbroadcast(np.ones((2, 3)), (2, 1)).tolist())
    [2. 2. 2.] [[3.0], [3.0]]
    """
    if g.shape == shape:
        return g
    new = g.ndim - len(shape)
    stretched = [new + i for i, n in enumerate(shape) if n == 1]
    return np.reshape(np.sum(g, axis=(*range(new), *stretched)), shape)


def _start(leaf: ArrayLike) -> Tensor:
    """Begin a record; a tensor of a record that is under way is continued by a new one."""
    return +leaf if isinstance(leaf, Tensor) else Tensor(as_floats(leaf))


def _history(ends: Sequence[Any]) -> list[Tensor]:
    """List what some tensors were made from, and they, each after all it was made from."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack = [(end, False) for end in ends if isinstance(end, Tensor)]
    while stack:
        node, complete = stack.pop()
        if complete:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node._parents)
    return order


def _continues(history: list[Tensor], starts: Sequence[Tensor]) -> bool:
    """Whether a history reaches back to starts of another record, which must go on recording."""
    own = {id(start) for start in starts}
    return any(not node._parents and id(node) not in own for node in history)


def _conjugate(g: Array) -> Array:
    """Conjugate what is complex, and leave the rest alone."""
    return np.conjugate(g) if np.iscomplexobj(g) else g


def _walk(history: list[Tensor], starts: Sequence[Tensor], found: dict[int, Array]) -> list[Array]:
    """Carry gradients from the ends of a history to its starts.

    The history is used up, so that the memory of each operation is free once it has been passed.
    The gradients found so far, by identity, are those of the ends. Rules act on their conjugates.
    """
    recorded = _continues(history, starts)
    found = {end: _conjugate(g) for end, g in found.items()}
    own = {id(start) for start in starts}
    active = set(own)
    for node in history:
        if not active.isdisjoint(map(id, node._parents)):
            active.add(id(node))
    while history:
        node = history.pop()
        if id(node) in active and id(node) not in own:
            for parent, g in _hand_on(node, found.pop(id(node)), active, recorded=recorded):
                before = found.get(id(parent))
                found[id(parent)] = g if before is None else before + g
    return [
        _conjugate(found[id(start)]) if id(start) in found else np.zeros(start.shape, start.dtype)
        for start in starts
    ]


def _hand_on(
    node: Tensor, g: Array, active: set[int], *, recorded: bool
) -> Iterator[tuple[Tensor, Array]]:
    """Pair each active parent of a node with the gradient that it gets from the node."""
    y, args = (node, node._args) if recorded else (node.data, [_plain(arg) for arg in node._args])
    for rule, arg in zip(node._rules, node._args, strict=False):
        if not active.isdisjoint(map(id, _tensors(arg))):
            made = rule(g, y, *args, **node._options)
            pairs = [(arg, made)] if isinstance(arg, Tensor) else zip(arg, made, strict=True)
            for parent, part in pairs:
                if isinstance(parent, Tensor) and id(parent) in active:
                    h = unbroadcast(part, parent.shape)
                    yield parent, h if h.dtype == parent.dtype else h.astype(parent.dtype)


# --- Derivatives -----------------------------------------------------------------------------


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    r"""Run a function, and make the map that takes gradients back from its result, :math:`J^\T g`.

    Parameters
    ----------
    f : callable
        Takes trees of arrays, and returns a tree of arrays.
    *args
        Trees of arrays, what it is called with.

    Returns
    -------
    tuple
        The value, and a function that takes a gradient with respect to the value (a tree like it)
        to a tuple of gradients, a tree for each argument. It can be called any number of times.

    Notes
    -----
    Implements :eq:`eq-vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import vjp
    >>> value, pull = vjp(np.multiply, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> print(value, *pull(np.array([1.0, 10.0])))
    [3. 8.] [ 3. 40.] [ 1. 20.]
    """
    starts = [_start(leaf) for leaf in tree_leaves(args)]
    result = f(*tree_unflatten(args, starts))
    ends = tree_leaves(result)
    history = _history(ends)

    def pull(gradient: Any) -> tuple[Any, ...]:
        found: dict[int, Array] = {}
        for end, g in zip(ends, tree_leaves(tree_map(_check_seed, result, gradient)), strict=True):
            found[id(end)] = found[id(end)] + g if id(end) in found else g
        made: tuple[Any, ...] = tree_unflatten(args, _walk(list(history), starts, found))
        return made

    return (result if _continues(history, starts) else tree_map(_plain, result)), pull


def _check_seed(end: Any, g: ArrayLike) -> Array:
    g = as_floats(g)
    if g.shape != np.shape(end):
        raise ValueError(
            f"a gradient must have the shape of the value; got {g.shape} and {np.shape(end)}"
        )
    return g


def value_and_grad(f: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Make a function that returns the value of another, and the gradient with it.

    Parameters
    ----------
    f : callable
        Takes a tree of arrays, and whatever else it needs; returns a scalar.

    Returns
    -------
    callable
        Takes the same, returns the value and its gradient with respect to the tree: a tree like
        it, float32 where its leaves are, 0 at leaves on which the value does not depend.

    Raises
    ------
    TypeError
        By the function made, if f does what has no rule, or a leaf or the value is not real.
    ValueError
        By the function made, if the value is no scalar.

    Notes
    -----
    Gradients may share memory with one another; do not write into them.

    Implements :eq:`eq-adjoint`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import value_and_grad
    >>> def loss(weights, x, y):
    ...     return np.mean((x @ weights["w"] + weights["b"] - y) ** 2)
    >>> x, y = np.array([[1.0], [2.0]]), np.array([2.0, 3.0])
    >>> value, slope = value_and_grad(loss)({"w": np.zeros(1), "b": 0.0}, x, y)
    >>> print(value, slope["w"], slope["b"])
    6.5 [-8.] -5.0
    """

    def differentiated(tree: Any, *args: Any, **options: Any) -> tuple[Any, Any]:
        starts = [_start(leaf) for leaf in tree_leaves(tree)]
        value = f(tree_unflatten(tree, starts), *args, **options)
        if as_floats(value).shape != ():
            raise ValueError(f"only a scalar has a gradient; got shape {as_floats(value).shape}")
        if np.iscomplexobj(value):
            raise TypeError("only a real number has a gradient; got a complex one")
        history = _history([value])
        found = {id(value): np.ones((), value.dtype)} if history else {}
        # With the value's own record let go, the walk frees what it has passed.
        value = value if _continues(history, starts) else _plain(value)
        return value, tree_unflatten(tree, _walk(history, starts, found))

    return differentiated


def grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """Make the gradient of a function with respect to its first argument.

    Parameters
    ----------
    f : callable
        Takes a tree of arrays, and whatever else it needs; returns a scalar.

    Returns
    -------
    callable
        Takes the same, returns the gradient with respect to the tree, as :func:`value_and_grad`.

    Notes
    -----
    Implements :eq:`eq-adjoint`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import grad
    >>> slope = grad(lambda x: x**3)
    >>> print(slope(2.0), grad(slope)(2.0))
    12.0 12.0
    """
    both = value_and_grad(f)
    return lambda tree, *args, **options: both(tree, *args, **options)[1]


def jacobian(f: Callable[..., Any]) -> Callable[..., Any]:
    r"""Make the Jacobian of a function with respect to its first argument.

    Parameters
    ----------
    f : callable
        Takes an array, and whatever else it needs; returns an array.

    Returns
    -------
    callable
        Takes the same, returns the array of :math:`\partial y_i/\partial x_j`, of the shape of y
        followed by the shape of x.

    Notes
    -----
    One walk backward a row.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import jacobian
    >>> print(jacobian(lambda x: x * x[::-1])(np.array([1.0, 2.0])))
    [[2. 1.]
     [2. 1.]]
    """

    def differentiated(x: ArrayLike, *args: Any, **options: Any) -> Any:
        value, pull = vjp(lambda x: f(x, *args, **options), x)
        basis = np.eye(value.size, dtype=value.dtype).reshape(value.size, *value.shape)
        rows = np.stack([pull(row)[0] for row in basis])
        return np.reshape(rows, value.shape + np.shape(x))

    return differentiated


def hessian_vector_product(f: Callable[[Any], Any], x: Any, v: Any) -> Any:
    r"""Multiply the matrix of second derivatives by a vector, :math:`\nabla^2 f(x)\,v`.

    Parameters
    ----------
    f : callable
        Takes a tree of arrays; returns a scalar.
    x : tree of array_like
        Where.
    v : tree of array_like
        The vector, a tree like x.

    Returns
    -------
    tree of ndarray
        A tree like x.

    Raises
    ------
    ValueError
        If v is not a tree of the shapes of x.

    Notes
    -----
    The gradient is differentiated along v, at the cost of a few gradients; the matrix, which has
    n² entries, is never made. That it is symmetric lets the walk go backward.

    Implements :eq:`eq-hessian-product`.

    References
    ----------
    B. A. Pearlmutter (1994), Fast Exact Multiplication by the Hessian.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import hessian_vector_product
    >>> x, v = np.array([1.0, 3.0]), np.array([1.0, 0.0])
    >>> print(hessian_vector_product(lambda x: x[0] ** 2 * x[1], x, v))
    [6. 2.]
    """
    return vjp(grad(f), x)[1](v)[0]


def check_gradient(
    f: Callable[[Any], Any], tree: Any, *, rng: np.random.Generator, step: float = 1e-5
) -> float:
    r"""Compare the gradient with finite differences along a random direction of unit length.

    Parameters
    ----------
    f : callable
        Takes a tree of arrays; returns a scalar.
    tree : tree of array_like
        Where; computed in float64.
    rng : Generator
        Draws the direction u.
    step : float
        Step h.

    Returns
    -------
    float
        Difference between :math:`u\cdot\nabla f(x)` and :math:`(f(x + hu) - f(x - hu))/2h`, over
        the larger of the two.

    Raises
    ------
    ValueError
        If the step is not positive.

    Notes
    -----
    The difference quotient errs by about h² from the third derivative and by rounding over h; near
    h = 1e-5 both are small. A sum of slopes in all directions at once hides no wrong entry, save by
    chance.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.autodiff import check_gradient
    >>> rng = np.random.default_rng(0)
    >>> check_gradient(lambda x: np.sum(np.tanh(x)), np.ones(3), rng=rng) < 1e-8
    True
    """
    check_positive(step, "step")
    tree = tree_map(lambda leaf: np.asarray(leaf, np.float64), tree)
    draws = [rng.standard_normal(np.shape(leaf)) for leaf in tree_leaves(tree)]
    length = math.sqrt(sum(np.sum(draw**2) for draw in draws))
    direction = tree_unflatten(tree, [draw / length for draw in draws])
    ahead, behind = (
        f(tree_map(lambda x, u, h=h: x + h * u, tree, direction)) for h in (step, -step)
    )
    numeric = (ahead - behind) / (2 * step)
    slopes = tree_map(lambda g, u: np.sum(g * u), grad(f)(tree), direction)
    exact = sum(tree_leaves(slopes))
    scale = max(abs(exact), abs(numeric))
    return float(abs(exact - numeric) / scale) if scale else 0.0
