"""Reverse-mode differentiation: every rule, the walk, and what must not be lost without a word."""

from __future__ import annotations

import operator
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.attention import (
    attention_backward,
    attention_weights,
    causal_mask,
    scaled_dot_product_attention,
)
from primer_ref.autodiff import (
    Tensor,
    check_gradient,
    grad,
    hessian_vector_product,
    jacobian,
    unbroadcast,
    value_and_grad,
    vjp,
)
from primer_ref.autodiff_rules import (
    COMPOSED,
    CONSTANT,
    RULES,
    differentiable,
    reinterpret,
    scatter,
)
from primer_ref.functional import log_softmax, logsumexp, softmax, softmax_jacobian, softmax_vjp
from primer_ref.heads import multi_head_attention
from primer_ref.kernel_attention import linear_attention, linear_attention_recurrent
from primer_ref.positions import rotary, rotations
from tests.draws import normal

Function = Callable[..., Any]

seeds = st.integers(0, 2**32 - 1)
M, V, S, B = (3, 4), (4,), (), (2, 1, 4)  # matrix, vector, scalar, batch


def positive(x: Any) -> Any:
    """Keep a function's argument above 0, by a road that has been checked."""
    return x * x + 0.5


def as_complex(f: Function) -> Function:
    """Let a function of complex numbers act on pairs of real ones."""
    return lambda x: reinterpret(f(reinterpret(x, np.complex128)), np.float64)


TURN = np.array([1 + 2j, -1j])
TURNS = np.array([[1 + 2j, -1j], [0.5, 2 - 1j]])
ROWS = np.array([2, 0, 2])
HIDDEN = np.array([True, False, True, True])

# Every function that has a rule, and calls that lead through it: shapes of the arguments, call.
CASES: dict[Function, list[tuple[list[tuple[int, ...]], Function]]] = {
    np.positive: [([M], np.positive)],
    np.negative: [([M], np.negative)],
    np.add: [([M, V], np.add), ([V, M], np.add), ([S, M], np.add), ([B, M], np.add)],
    np.subtract: [([M, V], np.subtract), ([B, M], np.subtract), ([S], lambda x: 2 - x)],
    np.multiply: [
        ([M, V], np.multiply),
        ([V, B], np.multiply),
        ([V], lambda x: x * x),
        ([M], as_complex(lambda z: z * TURN)),
        ([M], as_complex(lambda z: z * z)),
    ],
    np.divide: [
        ([M, V], lambda a, b: a / positive(b)),
        ([V, B], lambda a, b: a / positive(b)),
        ([M], as_complex(lambda z: z / TURN)),
        ([M], as_complex(lambda z: TURN / (z + 2))),
    ],
    np.power: [
        ([M], lambda x: x**2),
        ([M], lambda x: x**3.0),
        ([M, V], lambda a, b: positive(a) ** b),
        ([V], lambda x: 2.0**x),
        ([V], lambda x: positive(x) ** np.array([-1.0, 0.5, 0.0, 1.0])),
        ([M], as_complex(lambda z: z**2)),
        ([M], as_complex(lambda z: (z + 2) ** TURN)),
        ([M], as_complex(lambda z: TURN ** (z / 2))),
    ],
    np.matmul: [
        ([(3, 4), (4, 2)], np.matmul),
        ([(4,), (4, 2)], np.matmul),
        ([(3, 4), (4,)], np.matmul),
        ([(4,), (4,)], np.matmul),
        ([(2, 3, 4), (4, 5)], np.matmul),
        ([(2, 3, 4), (2, 4, 5)], np.matmul),
        ([(2, 1, 3, 4), (5, 4, 2)], np.matmul),
        ([(3, 4), (2, 4, 5)], np.matmul),
        ([(4,), (2, 4, 5)], np.matmul),
        ([(2, 3, 4), (4,)], np.matmul),
        ([M], as_complex(lambda z: z @ TURNS)),
        ([M], as_complex(lambda z: np.expand_dims(z @ TURN, -1))),
        ([(2, 4)], as_complex(lambda z: TURNS @ z)),
        ([(2, 4)], as_complex(lambda z: TURN @ z)),
        ([(5, 2, 4)], as_complex(lambda z: TURNS @ z)),
    ],
    np.conjugate: [([M], as_complex(np.conjugate)), ([M], as_complex(lambda z: z * np.conj(z)))],
    np.square: [([M], np.square), ([M], as_complex(np.square))],
    np.sqrt: [([M], lambda x: np.sqrt(positive(x))), ([M], as_complex(lambda z: np.sqrt(z + 2)))],
    np.absolute: [([M], np.abs)],
    np.exp: [([M], np.exp), ([M], as_complex(np.exp))],
    np.expm1: [([M], np.expm1), ([M], as_complex(np.expm1))],
    np.log: [([M], lambda x: np.log(positive(x))), ([M], as_complex(lambda z: np.log(z + 2)))],
    np.log1p: [([M], lambda x: np.log1p(x * x)), ([M], as_complex(lambda z: np.log1p(z + 2)))],
    np.sin: [([M], np.sin), ([M], as_complex(np.sin))],
    np.cos: [([M], np.cos), ([M], as_complex(np.cos))],
    np.tanh: [([M], np.tanh), ([M], as_complex(lambda z: np.tanh(z / 2)))],
    np.maximum: [([M, V], np.maximum), ([M], lambda x: np.maximum(x, 0))],
    np.minimum: [([M, V], np.minimum), ([B, M], np.minimum)],
    np.logaddexp: [([M, V], np.logaddexp), ([M], lambda x: np.logaddexp(x, -np.inf))],
    np.where: [
        ([M, V], lambda a, b: np.where(HIDDEN, a, b)),
        ([V, M], lambda a, b: np.where(b > 0, a, b)),
        ([M], lambda x: np.where(x > 0, x, 0)),
    ],
    np.clip: [
        ([M], lambda x: np.clip(x, -0.5, 0.5)),
        ([M], lambda x: np.clip(x, None, 0.5)),
        ([M], lambda x: np.clip(x, a_min=0.1, a_max=None)),
    ],
    np.sum: [
        ([M], np.sum),
        ([M], lambda x: np.sum(x, axis=0)),
        ([M], lambda x: np.sum(x, -1, keepdims=True)),
        ([(2, 3, 4)], lambda x: np.sum(x, axis=(0, -1))),
    ],
    np.mean: [
        ([M], np.mean),
        ([M], lambda x: np.mean(x, axis=-1, keepdims=True)),
        ([(2, 3, 4)], lambda x: np.mean(x, axis=(0, 2))),
    ],
    np.max: [
        ([M], np.max),
        ([M], lambda x: np.max(x, axis=-1)),
        ([M], lambda x: np.max(x, axis=0, keepdims=True)),
    ],
    np.min: [([M], np.min), ([M], lambda x: np.min(x, axis=1))],
    np.cumsum: [
        ([M], lambda x: np.cumsum(x, axis=0)),
        ([M], lambda x: np.cumsum(x, axis=-1)),
        ([M], np.cumsum),
    ],
    operator.getitem: [
        ([M], lambda x: x[1]),
        ([M], lambda x: x[..., ::-2, None]),
        ([M], lambda x: x[1:, [0, 0]]),
        ([M], lambda x: x[ROWS]),
        ([M], lambda x: x[ROWS, 1]),
        ([M], lambda x: x[ROWS, np.array([[0], [1]])]),
        ([M], lambda x: x[:, HIDDEN]),
        ([V], lambda x: x[HIDDEN]),
    ],
    scatter: [
        ([(3, 4)], lambda x: scatter(x, ROWS, (5, 4))),
        ([(2, 4)], lambda x: scatter(x, slice(1, 3), (5, 4))),
    ],
    reinterpret: [([M], as_complex(lambda z: z))],
    np.reshape: [
        ([M], lambda x: np.reshape(x, (2, -1))),
        ([M], lambda x: x.reshape(2, 6)),
        ([M], lambda x: x.reshape((6, 2))),
    ],
    np.expand_dims: [([M], lambda x: np.expand_dims(x, (0, -1)))],
    np.squeeze: [([B], np.squeeze), ([B], lambda x: np.squeeze(x, 1))],
    np.transpose: [
        ([M], lambda x: x.T),
        ([(2, 3, 4)], lambda x: np.transpose(x, (2, 0, 1))),
        ([(2, 3, 4)], lambda x: np.transpose(x, axes=(-1, 0, -2))),
    ],
    np.swapaxes: [([(2, 3, 4)], lambda x: x.swapaxes(0, -1))],
    np.flip: [([M], lambda x: np.flip(x, 1)), ([M], np.flip)],
    np.broadcast_to: [([V], lambda x: np.broadcast_to(x, (2, 3, 4)))],
    np.concatenate: [
        ([M, (1, 4)], lambda a, b: np.concatenate([a, b, a])),
        ([M, (3, 2)], lambda a, b: np.concatenate((a, np.ones((3, 1)), b), axis=-1)),
    ],
    np.tril: [([M], np.tril), ([(2, 4, 4)], lambda x: np.tril(x, -1))],
    np.triu: [([M], lambda x: np.triu(x, k=1))],
    np.astype: [([M], lambda x: np.astype(x, np.longdouble)), ([M], lambda x: x.astype(float))],
}

# NumPy functions made of others: also the values are ours to get right.
COMPOSED_CASES: dict[Function, list[tuple[list[tuple[int, ...]], Function]]] = {
    np.outer: [([V, (3,)], np.outer)],
    np.ravel: [([M], np.ravel)],
    np.repeat: [([M], lambda x: np.repeat(x, 3, axis=0)), ([B], lambda x: np.repeat(x, 2, -2))],
    np.split: [
        ([M], lambda x: np.concatenate(np.split(x, 2, axis=1)[::-1])),
        ([M], lambda x: np.concatenate(np.split(x, [1, 1, 3], axis=-1)[::-1], axis=1)),
        ([M], lambda x: np.split(x, 3)[1]),
    ],
    np.stack: [
        ([M, M], lambda a, b: np.stack([a, b])),
        ([V, V], lambda a, b: np.stack((a, b), axis=-1)),
    ],
    np.take: [
        ([M], lambda x: np.take(x, ROWS, axis=0)),
        ([M], lambda x: np.take(x, np.array([[1, 3], [3, 0]]), axis=-1)),
        ([M], lambda x: np.take(x, [11, 0])),
    ],
    np.take_along_axis: [
        ([M], lambda x: np.take_along_axis(x, np.array([[3], [0], [3]]), axis=-1)),
        ([M], lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0)),
    ],
}


# In these, a format is part of the call.
FORMATTED = {np.astype, np.conjugate, reinterpret}


def rows(table: dict[Function, Any]) -> list[Any]:
    return [
        pytest.param(*case, id=f"{function.__name__}-{number}")
        for function, cases in table.items()
        for number, case in enumerate(cases)
    ]


def history(result: Tensor) -> list[Tensor]:
    return [result, *(made for parent in result._parents for made in history(parent))]


def curved(call: Function) -> Function:
    """Make a scalar of a call, by a sum of squares in which every entry has a weight of its own."""

    def scalar(tree: Any) -> Any:
        y = call(*tree)
        weights = 1 + np.arange(np.size(y)).reshape(np.shape(y)) % 5
        return np.sum(weights * y * y)

    return scalar


def test_every_rule_has_a_case_and_every_case_leads_through_its_rule() -> None:
    own = {scatter, reinterpret}
    assert CASES.keys() == RULES.keys() | own
    assert COMPOSED_CASES.keys() == COMPOSED.keys()
    for function, cases in CASES.items():
        rules = function.rules if function in own else RULES[function]  # type: ignore[attr-defined]
        for shapes, call in cases:
            tensors = [Tensor(x) for x in normal(0, *shapes)]
            assert any(node._rules is rules for node in history(call(*tensors)))


@pytest.mark.equation("eq-vjp")
@pytest.mark.parametrize(("shapes", "call"), rows(CASES | COMPOSED_CASES))
def test_a_rule_gives_the_slope_that_finite_differences_give(
    shapes: list[tuple[int, ...]], call: Function
) -> None:
    rng = np.random.default_rng(5)
    tree = normal(7, *shapes)
    f = curved(call)
    assert value_and_grad(f)(tree)[0] == f(tree)
    assert check_gradient(f, tree, rng=rng) < 1e-6

    def slope(tree: Any) -> Any:
        return sum(np.sum(np.sin(g)) for g in grad(f)(tree))

    assert check_gradient(slope, tree, rng=rng) < 1e-6


@pytest.mark.parametrize(
    ("shapes", "call"),
    [
        row
        for row in rows({f: CASES[f] for f in CASES if f not in FORMATTED} | COMPOSED_CASES)
        if "as_complex" not in row.values[1].__qualname__
    ],
)
def test_single_precision_stays_single_in_value_and_gradient(
    shapes: list[tuple[int, ...]], call: Function
) -> None:
    tree = [x.astype(np.float32) for x in normal(7, *shapes)]
    y = call(*(Tensor(x) for x in tree))
    assert y.dtype == call(*tree).dtype
    assert {g.dtype for g in grad(curved(call))(tree)} == {np.dtype(np.float32)}


def test_rotary_in_single_precision_goes_through_single_complex_numbers() -> None:
    x = np.ones((3, 4), np.float32)
    value, pull = vjp(lambda x: rotary(x, rotations(range(3), 4)), x)
    assert value.dtype == pull(x)[0].dtype == np.float32


def test_what_has_no_slope_returns_plain_arrays() -> None:
    x = np.array([[0.5, -1.5], [2.5, 0.5]])
    calls: dict[Function, tuple[Any, ...]] = {
        np.allclose: (x,),
        np.argpartition: (1,),
        np.array_equal: (x,),
        np.full_like: (3,),
        np.searchsorted: (0.5,),
        **{f: (0.5,) for f in CONSTANT if isinstance(f, np.ufunc) and f.nin == 2},
    }
    for function in CONSTANT:
        given = x[0] if function is np.searchsorted else x
        made = function(Tensor(given), *calls.get(function, ()))
        expected = function(given, *calls.get(function, ()))
        assert not isinstance(made, Tensor), function
        if function is np.empty_like:
            assert made.shape == expected.shape
        else:
            np.testing.assert_array_equal(made, expected)
    assert isinstance(Tensor(x) > 0, np.ndarray)
    named: Any = Tensor(x)
    assert np.argmax(a=named) == np.argmax(x)
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * np.floor(x)))(x), np.floor(x))


# --- Broadcasting ----------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=3),
    st.lists(st.integers(1, 3), max_size=2),
    seeds,
)
def test_unbroadcast_is_the_transpose_of_broadcasting(
    axes: list[tuple[int, bool]], new: list[int], seed: int
) -> None:
    narrow = tuple(1 if stretched else n for n, stretched in axes)
    wide = (*new, *(n for n, _ in axes))
    x, g = normal(seed, narrow, wide)
    collected = unbroadcast(g, narrow)
    assert collected.shape == narrow
    np.testing.assert_allclose(np.sum(collected * x), np.sum(g * np.broadcast_to(x, wide)))


# --- The walk --------------------------------------------------------------------------------


def test_a_chain_of_a_hundred_thousand_operations_needs_no_recursion() -> None:
    def chain(x: Any) -> Any:
        for _ in range(100_000):
            x = -x
        return x

    assert value_and_grad(chain)(3.0) == (3.0, 1.0)


@pytest.mark.equation("eq-adjoint")
def test_a_shared_result_is_walked_once_however_many_roads_lead_to_it() -> None:
    def doubled(x: Any) -> Any:
        for _ in range(60):
            x = x + x
        return x

    assert grad(doubled)(1.0) == 2.0**60


def test_each_leaf_of_a_tree_gets_its_gradient_and_what_is_not_used_gets_zeros() -> None:
    @dataclass(frozen=True, slots=True)
    class Layer:
        weight: Any
        bias: Any

    tree = {"layers": (Layer(np.eye(2), 1), [np.ones(2, np.float32)]), "unused": np.ones(3)}

    def f(tree: Any, scale: float, *, power: int) -> Any:
        layer, (x,) = tree["layers"]
        return scale * np.sum((layer.weight @ x + layer.bias) ** power)

    value, slope = value_and_grad(f)(tree, 10.0, power=2)
    assert value == 80
    np.testing.assert_array_equal(slope["layers"][0].weight, np.full((2, 2), 40))
    assert slope["layers"][0].bias == 80
    np.testing.assert_array_equal(slope["layers"][1][0], np.full(2, 40, np.float32))
    assert slope["layers"][1][0].dtype == np.float32
    np.testing.assert_array_equal(slope["unused"], np.zeros(3))


def test_a_constant_has_gradient_zero() -> None:
    assert value_and_grad(lambda _: 3)(np.float32(1)) == (3, 0)
    assert grad(lambda x: x.data * 2)(1.0) == 0
    assert value_and_grad(lambda x: x)(2) == (2, 1)


def test_gradients_are_plain_arrays_and_inputs_stay_as_they_were() -> None:
    x = np.arange(3.0)
    value, slope = value_and_grad(lambda x: np.sum(x * x))(x)
    assert type(value) is np.float64
    assert type(slope) is np.ndarray
    np.testing.assert_array_equal(x, [0, 1, 2])


def test_the_record_is_let_go_as_it_is_walked() -> None:
    size, n = 100_000, 40
    weights = [np.ones(size) for _ in range(n)]

    def product(weights: Any) -> Any:
        x = weights[0]
        for w in weights[1:]:
            x = x * w
        return np.sum(x)

    tracemalloc.start()
    slopes = grad(product)(weights)
    peak = tracemalloc.get_traced_memory()[1] / (8 * size)
    tracemalloc.stop()
    assert len(slopes) == n
    # n results going forward, n gradients coming back: not both at once.
    assert n - 2 < peak < n + 8


class Counted(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that counts the operations done with it: an addition, an exponential, a choice."""

    def __init__(self, data: Any, tally: list[int]) -> None:
        self.data, self.tally = data, tally

    def count(self, function: Any, args: Any, options: Any, cost: Callable[..., int]) -> Any:
        if any(isinstance(arg, Tensor) for arg in args):
            return NotImplemented
        plain = [arg.data if isinstance(arg, Counted) else arg for arg in args]
        made = function(*plain, **options)
        self.tally.append(cost(plain, np.asarray(made)))
        return Counted(made, self.tally) if isinstance(made, (np.ndarray, np.generic)) else made

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        def cost(plain: Any, made: Any) -> int:
            return np.size(made) * (2 * np.shape(plain[0])[-1] if ufunc is np.matmul else 1)

        return self.count(ufunc, args, options, cost)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        def cost(plain: Any, _: Any) -> int:
            computes = function in {np.sum, np.mean, np.max, np.where}
            return np.size(plain[0]) if computes else 0  # else it only moves what is there

        return self.count(function, args, options, cost)

    def __getitem__(self, index: Any) -> Any:
        return Counted(self.data[index], self.tally)

    def __bool__(self) -> bool:
        return bool(self.data)

    def reshape(self, *shape: Any) -> Any:
        return Counted(self.data.reshape(*shape), self.tally)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        return Counted(self.data.astype(dtype, copy=copy), self.tally)

    @property
    def shape(self) -> Any:
        return self.data.shape

    @property
    def size(self) -> Any:
        return self.data.size

    @property
    def ndim(self) -> Any:
        return self.data.ndim

    @property
    def dtype(self) -> Any:
        return self.data.dtype


@pytest.mark.equation("eq-cheap-gradient")
def test_a_gradient_costs_a_small_multiple_of_the_value() -> None:
    def loss(tree: Any) -> Any:
        x, *weights, unembedding = tree
        h = x + multi_head_attention(x, *weights, n_heads=2, mask=causal_mask(16))
        return -np.mean(log_softmax(np.tanh(h) @ unembedding)[:, 0])

    tally: list[int] = []
    arrays = normal(0, (16, 8), *[(8, 8)] * 4, (8, 50))
    loss([Counted(x, tally) for x in arrays])
    forward = sum(tally)
    tally.clear()
    grad(loss)([Counted(x, tally) for x in arrays])
    # The theorem allows five for scalars; where most of the work is in matrix products it is three.
    assert 2 < sum(tally) / forward < 4


@pytest.mark.equation("eq-cheap-gradient")
@given(seeds, st.integers(1, 60))
def test_a_gradient_of_scalars_costs_at_most_five_values(seed: int, length: int) -> None:
    operations: tuple[Callable[[Any, Any], Any], ...] = (
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        lambda a, _: -a,
        lambda a, _: np.tanh(a),
        lambda a, _: np.cos(a),
    )

    def program(inputs: Any) -> Any:
        rng, values = np.random.default_rng(seed), list(inputs)
        for _ in range(length):
            a, b = (values[i] for i in rng.integers(len(values), size=2))
            values.append(operations[rng.integers(len(operations))](a, b))
        return values[-1]

    tally: list[int] = []
    inputs = [np.asarray(x) for x in np.random.default_rng(seed).uniform(1, 2, size=4)]
    with np.errstate(all="ignore"):  # a count does not mind an overflow
        program([Counted(x, tally) for x in inputs])
        forward = sum(tally)
        tally.clear()
        grad(program)([Counted(x, tally) for x in inputs])
    assert sum(tally) <= 5 * forward


# --- Derivatives of derivatives --------------------------------------------------------------


def test_a_power_is_differentiated_until_nothing_is_left() -> None:
    f: Function = lambda x: x**4  # noqa: E731
    for at_two, at_zero in ((32, 0), (48, 0), (48, 0), (24, 24), (0, 0)):
        f = grad(f)
        assert (f(2.0), f(0.0)) == (at_two, at_zero)


def test_powers_of_0_have_the_slopes_of_a_polynomial() -> None:
    def basis(x: Any) -> Any:
        return np.sum(np.expand_dims(x, -1) ** np.arange(4) * np.array([7.0, 5.0, 3.0, 2.0]))

    with np.errstate(all="raise"):
        for x in (0.0, np.array([0.0, 2.0])):
            np.testing.assert_array_equal(grad(basis)(x), 5 + 6 * x + 6 * x**2)
            slope = grad(lambda x: np.sum(grad(basis)(x)))
            np.testing.assert_array_equal(slope(x), 6 + 12 * x)


def test_the_slope_of_a_power_at_exponent_0_changes_with_the_exponent() -> None:
    # d/db d/da aᵇ = aᵇ⁻¹ (1 + b log a), which is 1/a at b = 0.
    assert grad(lambda b: grad(lambda a: a**b)(2.0))(0.0) == 0.5


def test_an_inner_derivative_is_not_confused_with_an_outer_one() -> None:
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(5.0) == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(5.0) == 10
    assert grad(lambda x: value_and_grad(lambda y: x * y * y)(3.0)[0])(2.0) == 9
    # What is taken out with .data is a constant for the outer derivative, too.
    assert grad(lambda x: x * grad(lambda y: y * y.data)(x))(5.0) == 5


@pytest.mark.equation("eq-hessian-product")
@given(seeds)
def test_hessian_vector_product_is_the_hessian_times_the_vector(seed: int) -> None:
    x, v = normal(seed, (4,), (4,))
    f: Function = lambda x: logsumexp(x) + np.sum(x**3)  # noqa: E731
    hessian = jacobian(grad(f))(x)
    p = softmax(x)
    np.testing.assert_allclose(hessian, softmax_jacobian(p) + np.diag(6 * x), atol=1e-12)
    np.testing.assert_allclose(hessian_vector_product(f, x, v), hessian @ v, atol=1e-12)


def test_the_hessian_of_a_straight_line_is_zero() -> None:
    np.testing.assert_array_equal(hessian_vector_product(np.sum, np.ones(3), np.ones(3)), 0)


def test_a_hessian_vector_product_mixes_the_leaves_of_a_tree() -> None:
    tree, v = {"a": 2.0, "b": np.ones(2)}, {"a": 0.0, "b": np.array([1.0, 0.0])}
    product = hessian_vector_product(lambda t: t["a"] ** 2 * np.sum(t["b"]), tree, v)
    assert product["a"] == 4
    np.testing.assert_array_equal(product["b"], [0, 0])


# --- The package's own derivatives -----------------------------------------------------------


@pytest.mark.equation("eq-softmax-jacobian")
@pytest.mark.equation("eq-softmax-vjp")
@given(seeds, st.floats(0.3, 3))
def test_softmax_is_differentiated_as_by_hand(seed: int, t: float) -> None:
    s, dp = normal(seed, (3, 5), (3, 5))
    p, pull = vjp(lambda s: softmax(s, temperature=t), s)
    np.testing.assert_allclose(pull(dp)[0], softmax_vjp(p, dp, temperature=t), atol=1e-13)
    row = jacobian(lambda s: softmax(s, temperature=t))(s[0])
    np.testing.assert_allclose(row, softmax_jacobian(p[0], temperature=t), atol=1e-13)


@pytest.mark.equation("eq-attention-backward")
@given(seeds, st.booleans())
def test_attention_is_differentiated_as_by_hand(seed: int, causal: bool) -> None:
    q, k, v, d_out = normal(seed, (2, 4, 3), (2, 4, 3), (2, 4, 5), (2, 4, 5))
    mask = causal_mask(4) if causal else None
    _, pull = vjp(lambda q, k, v: scaled_dot_product_attention(q, k, v, mask), q, k, v)
    for found, expected in zip(pull(d_out), attention_backward(q, k, v, d_out, mask), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_query_that_sees_nothing_gives_no_gradient_and_no_nan() -> None:
    q, k, v = normal(0, (2, 3), (2, 3), (2, 3))
    mask = np.array([[-np.inf, -np.inf], [0, -np.inf]])
    _, pull = vjp(lambda q: scaled_dot_product_attention(q, k, v, mask), q)
    np.testing.assert_array_equal(pull(np.ones((2, 3)))[0], 0)


def test_a_mask_can_be_learned() -> None:
    q, k, bias = normal(1, (4, 3), (4, 3), (4, 4))
    rng = np.random.default_rng(0)
    f = curved(lambda bias: attention_weights(q, k, bias + causal_mask(4)))
    assert check_gradient(f, [bias], rng=rng) < 1e-6
    f = curved(lambda bias: attention_weights(q, k, bias))
    assert check_gradient(f, [bias], rng=rng) < 1e-6


@given(seeds)
def test_the_gradient_of_a_rotation_is_the_rotation_back(seed: int) -> None:
    x, g = normal(seed, (2, 3, 4), (2, 3, 4))
    turns = rotations([0, 5, 9], 4)
    _, pull = vjp(lambda x: rotary(x, turns), x)
    np.testing.assert_allclose(pull(g)[0], rotary(g, turns.conj()), atol=1e-14)


def test_linear_attention_has_one_gradient_by_either_road() -> None:
    phi_q, phi_k, v, g = normal(2, (5, 3), (5, 3), (5, 2), (5, 2))
    phi_q, phi_k = np.exp(phi_q), np.exp(phi_k)
    found, again = (
        vjp(road, phi_q, phi_k, v)[1](g) for road in (linear_attention, linear_attention_recurrent)
    )
    for one, other in zip(found, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_the_gradient_of_a_lookup_adds_up_over_a_token_that_comes_twice() -> None:
    table, tokens = np.zeros((5, 2)), np.array([[3, 1], [1, 1]])
    one_hot = np.eye(5)[tokens]
    g = normal(3, (2, 2, 2))[0]
    _, pull = vjp(lambda table: table[tokens], table)
    np.testing.assert_allclose(pull(g)[0], np.einsum("bti,btc->ic", one_hot, g))


# --- Conventions -----------------------------------------------------------------------------


def test_at_a_tie_the_gradient_is_shared_in_equal_parts() -> None:
    np.testing.assert_array_equal(grad(np.max)(np.array([1.0, 3.0, 3.0])), [0, 0.5, 0.5])
    np.testing.assert_array_equal(grad(np.min)(np.array([3.0, 3.0, 3.0])), [1 / 3] * 3)
    for choice in (np.maximum, np.minimum):
        assert grad(lambda x, f=choice: f(x, 1.0))(1.0) == 0.5
        assert grad(lambda x, f=choice: f(1.0, x))(1.0) == 0.5


def test_logaddexp_of_nothing_gives_no_gradient() -> None:
    with np.errstate(invalid="raise"):
        assert grad(lambda x: np.logaddexp(x, -np.inf).data * x)(1.0) == 1
        assert vjp(np.logaddexp, -np.inf, -np.inf)[1](1.0) == (0, 0)


def test_a_function_can_bring_its_own_rule() -> None:
    @differentiable(lambda g, _y, _x, n: 10 * g * n, None)
    def scaled(x: Any, n: int) -> Any:
        assert not isinstance(x, Tensor)
        return n * x

    assert value_and_grad(lambda x: scaled(x, 3) ** 2)(1.0) == (9.0, 180.0)
    assert scaled(2.0, 3) == 6
    with pytest.raises(TypeError, match="no rule for argument 1 of scaled"):
        grad(lambda x: scaled(1.0, x))(1.0)


def test_a_pull_takes_gradients_any_number_of_times_and_through_a_tree() -> None:
    def f(x: Any, y: Any) -> Any:
        return {"product": x * y, "constant": 1.0, "x": (x, x)}

    value, pull = vjp(f, 2.0, 3.0)
    assert value == {"product": 6, "constant": 1, "x": (2, 2)}
    for _ in range(2):
        assert pull({"product": 1.0, "constant": 5.0, "x": (10.0, 100.0)}) == (113, 2)


def test_a_jacobian_has_the_axes_of_the_value_and_then_of_the_argument() -> None:
    x = normal(4, (2, 3))[0]
    found = jacobian(lambda x, k: x[:, :2] * k)(x, 3.0)
    assert found.shape == (2, 2, 2, 3)
    expected = 3 * np.einsum("ik,jl->ijkl", np.eye(2), np.eye(2, 3))
    np.testing.assert_array_equal(found, expected)


def test_the_check_finds_a_wrong_slope_and_passes_a_right_one() -> None:
    @differentiable(lambda g, _, x: g * 1.001 * np.cos(x))
    def wrong(x: Any) -> Any:
        return np.sin(x)

    x, rng = np.array([0.3, 1.0]), np.random.default_rng(1)
    assert 1e-4 < check_gradient(lambda x: np.sum(wrong(x)), x, rng=rng) < 1e-2
    assert check_gradient(lambda x: np.sum(np.sin(x)), x, rng=rng) < 1e-9
    assert check_gradient(lambda _: 1.0, x, rng=rng) == 0
    # The quotient's error falls with the square of the step.
    errors = [
        check_gradient(np.exp, 1.0, rng=np.random.default_rng(0), step=h) for h in (1e-2, 1e-3)
    ]
    assert 90 < errors[0] / errors[1] < 110
    # It comes from the third derivative: a parabola has none.
    rng = np.random.default_rng(0)
    assert check_gradient(lambda x: x * x, 3.0, rng=rng, step=1.0) < 1e-15


# --- What is refused while a tensor records --------------------------------------------------


def write(x: Any) -> None:
    x[0] = 1


def add_into(x: Any) -> None:
    x += 1


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (np.asarray, "must not become a plain array while it records; use .data"),
        (lambda x: np.array([x, x]), "must not become a plain array"),
        (lambda x: np.zeros(2).__setitem__(slice(None), x), "must not become a plain array"),
        (lambda x: float(np.sum(x)), "must not become a plain number while it records"),
        (lambda x: int(np.sum(x)), "must not become a plain number"),
        (lambda x: [0, 1][np.sum(x)], "must not become a plain number"),
        (lambda x: complex(np.sum(x)), "must not become a plain number"),
        (lambda x: 1 if x else 0, "has no truth value; compare it"),
        (write, "does not support item assignment"),
        (add_into, "no rule for argument 0 of add with out"),
        (lambda x: np.add(x, 1, out=np.zeros(2)), "no rule for argument 0 of add with out"),
        (lambda x: np.exp(x, where=[True, False]), "no rule for argument 0 of exp with where"),
        (lambda x: np.greater(x, 1, out=np.zeros(2, bool)), "of greater with out"),
        (lambda x: np.sum(x, axis=0, dtype=float), "0 of sum with axis, dtype"),
        (np.arctan, "no rule for argument 0 of arctan"),
        (np.add.reduce, "no rule for np.add.reduce"),
        (np.linalg.norm, "no rule for argument 0 of norm"),
        (lambda x: x.astype(int), "must hold real numbers; astype gave int64"),
        (lambda x: np.where(x, 1, 2), "no rule for argument 0 of where"),
        (lambda x: np.clip(1.0, x, 2.0), "no rule for argument 1 of clip"),
        (lambda x: np.arange(2)[x], "plain"),
        (lambda x: np.sum(a=x), "must be given by its place; sum got one by name"),
        (lambda x: np.clip(x, a_min=x, a_max=1), "by its place; clip got one by name"),
        (lambda x: np.sign(reinterpret(x, np.complex128)), "no rule for sign of complex numbers"),
    ],
)
def test_nothing_is_lost_without_a_word(use: Function, message: str) -> None:
    with pytest.raises((TypeError, IndexError), match=message):
        grad(lambda x: use(x) or 0.0)(np.ones(2))


def test_a_tensor_shows_its_value_and_reads_as_a_sequence() -> None:
    x = Tensor(np.arange(6.0).reshape(2, 3))
    assert repr(Tensor(np.float64(2))) == "Tensor(np.float64(2.0))"
    assert (len(x), x.shape, x.ndim, x.size) == (2, (2, 3), 2, 6)
    assert x.dtype == np.float64
    assert [row.data.tolist() for row in x] == [[0, 1, 2], [3, 4, 5]]
    assert x.T.shape == (3, 2)


def test_the_modulus_has_slope_0_at_0() -> None:
    assert grad(lambda x: np.sum(np.abs(x)))(np.array([0.0, -2.0])).tolist() == [0, -1]


def test_what_is_taken_along_an_axis_is_taken_along_the_last_one_by_default() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    indices = np.arange(6).reshape(2, 3, 1) % 4
    tensor: Any = Tensor(x)
    taken: Any = np.take_along_axis(tensor, indices)
    np.testing.assert_array_equal(taken.data, np.take_along_axis(x, indices, axis=-1))
