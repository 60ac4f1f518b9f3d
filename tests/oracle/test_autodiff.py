"""Gradients against PyTorch's: of every operation, of attention, and of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from primer_ref.attention import attention_weights, causal_mask, scaled_dot_product_attention
from primer_ref.autodiff import grad, hessian_vector_product, jacobian, vjp
from primer_ref.functional import log_softmax, logsumexp, softmax
from primer_ref.positions import rotary, rotations

from .conftest import Compare

torch = pytest.importorskip("torch")

Function = Callable[..., Any]

A = np.random.default_rng(0).normal(size=(2, 3, 4))
B = np.random.default_rng(1).normal(size=(3, 4))
W = np.random.default_rng(2).normal(size=(4, 5))
V = np.random.default_rng(3).normal(size=4)
INDEX = np.array([[2, 0], [1, 2], [3, 3]])
POSITIVE = torch.tensor(B) > 0
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])

ATTENTION = torch.nn.functional.scaled_dot_product_attention

# A name, what is differentiated, the same in PyTorch, and the arguments.
OPERATIONS: list[tuple[str, Function, Function, tuple[Any, ...]]] = [
    ("add", np.add, torch.add, (A, V)),
    ("sub", np.subtract, torch.sub, (V, A)),
    ("mul", np.multiply, torch.mul, (A, B)),
    ("div", np.divide, torch.div, (A, B)),
    ("neg", np.negative, torch.neg, (A,)),
    ("pow", lambda a, b: np.abs(a) ** b, lambda a, b: torch.abs(a) ** b, (A, V)),
    ("square", np.square, torch.square, (A,)),
    ("matmul", np.matmul, torch.matmul, (A, W)),
    ("matmul of stacks", np.matmul, torch.matmul, (A, A.swapaxes(-1, -2).copy())),
    ("matmul by a vector", np.matmul, torch.matmul, (A, V)),
    ("matmul of a vector", np.matmul, torch.matmul, (V, A.swapaxes(-1, -2).copy())),
    ("outer", np.outer, torch.outer, (V, B[:, 0].copy())),
    ("exp", np.exp, torch.exp, (A,)),
    ("expm1", np.expm1, torch.expm1, (A,)),
    ("log", np.log, torch.log, (A**2 + 0.1,)),
    ("log1p", np.log1p, torch.log1p, (A**2,)),
    ("sqrt", np.sqrt, torch.sqrt, (A**2 + 0.1,)),
    ("abs", np.abs, torch.abs, (A,)),
    ("sin", np.sin, torch.sin, (A,)),
    ("cos", np.cos, torch.cos, (A,)),
    ("tanh", np.tanh, torch.tanh, (A,)),
    ("maximum", np.maximum, torch.maximum, (A, B)),
    ("minimum", np.minimum, torch.minimum, (TIES, np.full((2, 3), 2.0))),
    ("logaddexp", np.logaddexp, torch.logaddexp, (A, V)),
    (
        "where",
        lambda a, b: np.where(B > 0, a, b),
        lambda a, b: torch.where(POSITIVE, a, b),
        (A, V),
    ),
    ("clip", lambda a: np.clip(a, -0.5, 0.5), lambda a: torch.clip(a, -0.5, 0.5), (A,)),
    ("sum", lambda a: np.sum(a, axis=(0, -1)), lambda a: torch.sum(a, dim=(0, -1)), (A,)),
    ("mean", lambda a: np.mean(a, axis=-1), lambda a: torch.mean(a, dim=-1), (A,)),
    ("amax", lambda a: np.max(a, axis=-1), lambda a: torch.amax(a, dim=-1), (TIES,)),
    ("amin", lambda a: np.min(a, axis=0), lambda a: torch.amin(a, dim=0), (TIES,)),
    ("cumsum", lambda a: np.cumsum(a, axis=1), lambda a: torch.cumsum(a, dim=1), (A,)),
    ("reshape", lambda a: a.reshape(6, 4), lambda a: a.reshape(6, 4), (A,)),
    ("permute", lambda a: np.transpose(a, (2, 0, 1)), lambda a: a.permute(2, 0, 1), (A,)),
    ("swapaxes", lambda a: a.swapaxes(0, 2), lambda a: a.swapaxes(0, 2), (A,)),
    ("unsqueeze", lambda a: np.expand_dims(a, 1), lambda a: a.unsqueeze(1), (A,)),
    ("squeeze", lambda a: np.squeeze(a[:, :1], 1), lambda a: a[:, :1].squeeze(1), (A,)),
    ("flip", lambda a: np.flip(a, 1), lambda a: torch.flip(a, (1,)), (A,)),
    (
        "broadcast_to",
        lambda a: np.broadcast_to(a, (2, 3, 4)),
        lambda a: torch.broadcast_to(a, (2, 3, 4)),
        (V,),
    ),
    (
        "cat",
        lambda a, b: np.concatenate([a, a[:1], b[None]]),
        lambda a, b: torch.cat([a, a[:1], b[None]]),
        (A, B),
    ),
    ("stack", lambda a, b: np.stack([a[0], b]), lambda a, b: torch.stack([a[0], b]), (A, B)),
    ("split", lambda a: np.split(a, 2, axis=-1)[1], lambda a: torch.split(a, 2, dim=-1)[1], (A,)),
    (
        "repeat_interleave",
        lambda a: np.repeat(a, 2, axis=1),
        lambda a: a.repeat_interleave(2, 1),
        (A,),
    ),
    (
        "gather",
        lambda a: np.take_along_axis(a, INDEX, axis=-1),
        lambda a: torch.gather(a, -1, torch.tensor(INDEX)),
        (B,),
    ),
    (
        "nn.functional.embedding",
        lambda a: a[INDEX % 3],
        lambda a: torch.nn.functional.embedding(torch.tensor(INDEX % 3), a),
        (B,),
    ),
    ("tril", np.tril, torch.tril, (A,)),
    ("triu", lambda a: np.triu(a, 1), lambda a: torch.triu(a, 1), (A,)),
    ("softmax", softmax, lambda a: torch.softmax(a, -1), (A,)),
    ("log_softmax", log_softmax, lambda a: torch.log_softmax(a, -1), (A,)),
    ("logsumexp", logsumexp, lambda a: torch.logsumexp(a, -1), (A,)),
    (
        "view_as_complex",
        lambda a: rotary(a, rotations([0, 2, 9], 4)),
        lambda a: torch.view_as_real(
            torch.view_as_complex(a.reshape(2, 3, 2, 2)) * torch.tensor(rotations([0, 2, 9], 4))
        ).reshape(a.shape),
        (A,),
    ),
]


def tensors(*arrays: Any) -> list[Any]:
    return [torch.tensor(array, requires_grad=True) for array in arrays]


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "arrays"), OPERATIONS, ids=[row[0] for row in OPERATIONS]
)
def test_every_operation_hands_the_gradient_back_as_torch_does(
    compare: Compare, name: str, ours: Function, theirs: Function, arrays: tuple[Any, ...]
) -> None:
    value, pull = vjp(ours, *arrays)
    inputs = tensors(*arrays)
    expected = theirs(*inputs)
    g = np.random.default_rng(9).normal(size=value.shape)
    expected.backward(torch.tensor(g))
    call = f"torch.{name}"
    compare(vjp, call, value, expected.detach().numpy(), 1e-13)
    for found, tensor in zip(pull(g), inputs, strict=True):
        compare(vjp, call, found, tensor.grad.numpy(), 1e-12)


@pytest.mark.equation("eq-attention-backward")
def test_attention_is_differentiated_as_torch_does(compare: Compare) -> None:
    q, k, v, g = np.random.default_rng(4).normal(size=(4, 2, 3, 7, 5))
    _, pull = vjp(lambda q, k, v: scaled_dot_product_attention(q, k, v, causal_mask(7)), q, k, v)
    inputs = tensors(q, k, v)
    expected = ATTENTION(*inputs, is_causal=True)
    expected.backward(torch.tensor(g))
    for found, tensor in zip(pull(g), inputs, strict=True):
        compare(
            vjp,
            "torch.nn.functional.scaled_dot_product_attention",
            found,
            tensor.grad.numpy(),
            1e-12,
        )


def loss(q: Any) -> Any:
    """Give a scalar that bends: attention of a sequence to itself, then a mean of squares."""
    weights = attention_weights(q, q, causal_mask(4))
    return np.mean((weights @ np.tanh(q)) ** 2)


def torch_loss(q: Any) -> Any:
    scores = q @ q.T / 3**0.5 + torch.tensor(causal_mask(4))
    return torch.mean((torch.softmax(scores, -1) @ torch.tanh(q)) ** 2)


def test_second_derivatives_are_torchs(compare: Compare) -> None:
    x, v = np.random.default_rng(5).normal(size=(2, 4, 3))
    expected = torch.autograd.functional.hvp(torch_loss, torch.tensor(x), torch.tensor(v))[1]
    found = hessian_vector_product(loss, x, v)
    compare(hessian_vector_product, "torch.autograd.functional.hvp", found, expected.numpy(), 1e-12)
    found = jacobian(grad(loss))(x)
    expected = torch.autograd.functional.hessian(torch_loss, torch.tensor(x))
    compare(jacobian, "torch.autograd.functional.hessian", found, expected.numpy(), 1e-12)


def test_a_jacobian_is_torchs(compare: Compare) -> None:
    expected = torch.autograd.functional.jacobian(
        lambda a: torch.softmax(a, -1), torch.tensor(B)
    ).numpy()
    compare(jacobian, "torch.autograd.functional.jacobian", jacobian(softmax)(B), expected, 1e-13)


def test_single_precision_is_as_good_as_torchs(compare: Compare) -> None:
    x = np.random.default_rng(6).normal(size=(4, 3)).astype(np.float32)
    (tensor,) = tensors(x)
    scores = tensor @ tensor.T / 3**0.5 + torch.tensor(causal_mask(4), dtype=torch.float32)
    torch.mean((torch.softmax(scores, -1) @ torch.tanh(tensor)) ** 2).backward()
    found = grad(loss)(x)
    assert found.dtype == np.float32
    compare(grad, "torch.autograd.backward", found, tensor.grad.numpy(), 1e-6)
