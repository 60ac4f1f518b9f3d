"""Operations: against a pass that counts its products, identities, published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.accounting import (
    attention_crossover,
    causal_forward_flops,
    forward_flops,
    model_flops_utilization,
    palm_flops_per_token,
    training_flops,
)
from primer_ref.config import Config
from primer_ref.heads import attention_flops
from primer_ref.parameters import MODELS, gpt_parameters, llama_parameters

F = NDArray[np.float64]

SMALL = Config(
    n_layers=3, width=10, n_heads=4, n_kv_heads=2, head_size=6, hidden=26, n_tokens=37, context=19
)
LLAMA, GPT = llama_parameters(SMALL, tied=True), gpt_parameters(SMALL)


def counted_pass(c: Config, *, n_tokens: int, n_past: int, gated: bool) -> dict[str, int]:
    """Run the products of a decoder on ones and count the operations of each."""
    done: dict[str, int] = {}

    def product(part: str, a: F, b: F) -> F:
        done[part] = done.get(part, 0) + 2 * a.size * b.shape[-1]
        return a @ b

    x, group = np.ones((n_tokens, c.width)), c.n_heads // c.n_kv_heads
    for _ in range(c.n_layers):
        q = product("projections", x, np.ones((c.width, c.n_heads * c.head_size)))
        for _ in range(2):
            kv = product("projections", x, np.ones((c.width, c.n_kv_heads * c.head_size)))
        keys = np.ones((n_past + n_tokens, c.n_kv_heads, c.head_size))
        for head in range(c.n_heads):
            own = q.reshape(n_tokens, c.n_heads, -1)[:, head]
            scores = product("scores", own, keys[:, head // group].T)
            product("mixing", scores, keys[:, head // group])
        x = product("projections", q, np.ones((q.shape[1], c.width)))
        for _ in range(1 + gated):
            h = product("feed_forward", x, np.ones((c.width, c.hidden)))
        x = product("feed_forward", h, np.ones((c.hidden, c.width)))
    product("logits", x, np.ones((c.width, c.n_tokens)))
    assert kv.shape[1] == keys[0].size
    return done


@pytest.mark.equation("eq-forward-flops")
@pytest.mark.parametrize("n_past", [0, 5])
def test_forward_counts_what_a_pass_multiplies(n_past: int) -> None:
    for parameters, gated in ((LLAMA, True), (GPT, False)):
        counts = forward_flops(SMALL, parameters, n_tokens=7, n_past=n_past)
        expected = counted_pass(SMALL, n_tokens=7, n_past=n_past, gated=gated)
        for part, flops in expected.items():
            assert getattr(counts, part) == flops
        assert counts.total == sum(expected.values())


@pytest.mark.equation("eq-product-flops")
@pytest.mark.equation("eq-training-flops")
def test_one_product_forward_is_two_backward_and_they_are_the_gradients() -> None:
    rng = np.random.default_rng(0)
    done = []

    def product(a: F, b: F) -> F:
        done.append(2 * a.size * b.shape[-1])
        return a @ b

    x, w, up = rng.normal(size=(7, 4)), rng.normal(size=(4, 5)), rng.normal(size=(7, 5))
    product(x, w)
    gradients = product(up, w.T), product(x.T, up)
    assert done == [2 * 7 * 4 * 5] * 3
    assert sum(done) == training_flops(w.size, len(x))
    for a, gradient in zip((x, w), gradients, strict=True):
        for place in np.ndindex(a.shape):  # the loss, the sum of up * (x @ w), is linear in each
            kept, a[place] = a[place], a[place] + 1
            more = np.sum(up * (x @ w))
            a[place] = kept
            assert more - np.sum(up * (x @ w)) == pytest.approx(gradient[place])


def test_the_layers_of_attention_are_those_of_the_heads() -> None:
    layer = attention_flops(10, 4, 6, n_queries=7, n_keys=12, n_kv_heads=2)
    counts = forward_flops(SMALL, LLAMA, n_tokens=7, n_past=5)
    assert counts.projections + counts.scores + counts.mixing == 3 * layer


@pytest.mark.equation("eq-causal-pairs")
@given(st.integers(0, 20), st.integers(1, 20), st.integers(1, 20))
def test_a_causal_count_does_not_depend_on_how_the_sequence_is_cut(
    past: int, first: int, second: int
) -> None:
    whole = causal_forward_flops(SMALL, LLAMA, n_tokens=first + second, n_past=past)
    parts = [
        causal_forward_flops(SMALL, LLAMA, n_tokens=first, n_past=past),
        causal_forward_flops(SMALL, LLAMA, n_tokens=second, n_past=past + first),
    ]
    assert whole.total == sum(part.total for part in parts)
    # Token by token nothing is masked, so the two conventions agree.
    steps = [
        forward_flops(SMALL, LLAMA, n_tokens=1, n_past=past + t) for t in range(first + second)
    ]
    assert whole.scores == sum(step.scores for step in steps)
    assert whole.total == sum(step.total for step in steps)


def test_gpt2_as_nanogpt_counts_it() -> None:
    gpt2 = MODELS["gpt2"]
    flops = forward_flops(gpt2.config, gpt2.parameters, n_tokens=1024)
    assert flops.total == 291_648_307_200
    assert 3 * flops.total == 874_944_921_600
    # The estimate there: no biases, no positions, but the gains of the norms.
    n = gpt2.parameters.total - gpt2.parameters.biases - gpt2.parameters.position_embedding
    palm = 1024 * palm_flops_per_token(gpt2.config, n, n_tokens=1024)
    assert palm == 875_062_886_400
    assert palm - 3 * flops.total == 6 * 1024 * gpt2.parameters.gains


@pytest.mark.equation("eq-training-flops")
@pytest.mark.equation("eq-training-flops-attention")
def test_six_operations_a_parameter_and_token() -> None:
    for count in (LLAMA, GPT):
        flops = forward_flops(SMALL, count, n_tokens=8)
        matrices = count.attention + count.feed_forward + count.scores
        left_out = 3 * (flops.scores + flops.mixing)
        assert 3 * flops.total == training_flops(matrices, 8) + left_out
        assert 3 * flops.total == 8 * palm_flops_per_token(SMALL, matrices, n_tokens=8)


def test_published_training_runs() -> None:
    # Brown et al. 2020, table D.1; a petaflop/s-day is 8.64e19 operations.
    printed = {125: (2.25e20, 2.6), 1320: (2.38e21, 27.5), 6660: (1.2e22, 139)}
    printed |= {12850: (2.31e22, 268), 174600: (3.14e23, 3640)}
    for millions, (flops, days) in printed.items():
        ours = training_flops(millions * 1e6, 300e9)
        assert ours == pytest.approx(flops, rel=5e-3)
        assert ours / 8.64e19 == pytest.approx(days, rel=5e-3)
    # Chowdhery et al. 2022, table 21; Dubey et al. 2024, section 3.2.1.
    assert training_flops(540.35e9, 780e9) == pytest.approx(2.5272e24, rel=1e-3)
    assert training_flops(405e9, 15.6e12) == pytest.approx(3.8e25, rel=5e-3)


def test_chinchilla_counts_as_printed() -> None:
    # Hoffmann et al. 2022, table A4: operations with softmax (three a score), without both ends,
    # over 6ND, where N has a fifth attention matrix and three more vectors, for positions.
    rows = [(10, 640, 64), (20, 1024, 64), (24, 1280, 128), (26, 1792, 128)]
    rows += [(28, 2048, 128), (40, 3584, 128)]
    ratios = []
    for layers, width, size in rows:
        heads = width // size
        config = Config(
            n_layers=layers,
            width=width,
            n_heads=heads,
            n_kv_heads=heads,
            head_size=size,
            hidden=4 * width,
            n_tokens=32000,
            context=2048,
        )
        count = gpt_parameters(config)
        flops = forward_flops(config, count, n_tokens=2048)
        softmax = 3 * layers * heads * 2048**2
        positions = layers * (width**2 + 2 * width) + config.n_tokens * width
        n = count.non_embedding + positions
        ours = 3 * (flops.total - flops.logits + softmax)
        ratios.append(ours / training_flops(n, 2048))
    np.testing.assert_allclose(ratios, [1.03, 1.10, 1.08, 1.04, 1.03, 0.99], atol=0.0052)


def square(hidden: int) -> Config:
    return Config(
        n_layers=2, width=64, n_heads=4, n_kv_heads=4, head_size=16, hidden=hidden,
        n_tokens=11, context=9,
    )  # fmt: skip


@pytest.mark.equation("eq-attention-crossover")
def test_where_pairs_of_tokens_overtake_the_matrices() -> None:
    plain, gated = gpt_parameters(square(256)), llama_parameters(square(256), tied=True)
    assert attention_crossover(square(256), plain) == 6 * 64
    assert attention_crossover(square(256), gated) == 8 * 64
    for count, length in ((plain, 6 * 64), (gated, 8 * 64)):
        flops = forward_flops(square(256), count, n_tokens=length)
        assert flops.scores + flops.mixing == flops.projections + flops.feed_forward
        flops = causal_forward_flops(square(256), count, n_tokens=2 * length - 1)
        assert flops.scores + flops.mixing == flops.projections + flops.feed_forward


@pytest.mark.equation("eq-flops-utilization")
def test_utilization_as_printed_for_llama3() -> None:
    # Dubey et al. 2024, table 4: 430, 400 and 380 TFLOP/s of 989 are printed as 43, 41 and 38 %.
    shares = [model_flops_utilization(1e12, rate, 989e12) for rate in (430, 400, 380)]
    np.testing.assert_allclose(shares, [0.43, 0.41, 0.38], rtol=0.015)
    tokens = 16 * 1024 * 1e12 / 6
    assert model_flops_utilization(6, tokens, 16 * 1024 * 989e12) == pytest.approx(1 / 989)
