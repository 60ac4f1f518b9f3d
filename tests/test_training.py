"""Training: where it starts, what it reaches, what a step does, and how it is evaluated."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primer_ref.autodiff import check_gradient, value_and_grad
from primer_ref.config import Config
from primer_ref.functional import log_softmax
from primer_ref.losses import cross_entropy_loss
from primer_ref.optim import adamw
from primer_ref.schedules import warmup_cosine
from primer_ref.training import Recipe, Run, batches, evaluate, loss, start, train, train_step
from primer_ref.transformer import forward, initialize
from primer_ref.trees import tree_leaves, tree_map

CONFIG = Config(
    n_layers=2,
    width=16,
    n_heads=4,
    n_kv_heads=2,
    head_size=4,
    hidden=24,
    n_tokens=11,
    context=16,
)
RECIPE = Recipe(n_steps=40, batch=4, length=12, peak=0.01, warmup=4)
TEXT = np.random.default_rng(9).integers(11, size=300)


def begin(seed: int = 0, **change: Any) -> Run:
    return start(CONFIG, replace(RECIPE, **change), rng=np.random.default_rng(seed))


@pytest.mark.equation("eq-initial-loss")
@pytest.mark.parametrize("width", [32, 256])
def test_the_loss_starts_above_a_uniform_guess_by_half_the_variance(width: int) -> None:
    config = replace(CONFIG, width=width, head_size=8, hidden=2 * width, n_tokens=2000)
    rng = np.random.default_rng(5)
    found = [
        float(loss(initialize(config, rng=rng), config, rng.integers(2000, size=(8, 17))))
        for _ in range(5)
    ]
    expected = math.log(2000) + 0.02**2 * width / 2
    assert np.mean(found) == pytest.approx(expected, abs=0.03)


@pytest.mark.equation("eq-causal-floor")
def test_nothing_can_be_learned_about_tokens_drawn_at_random() -> None:
    # New tokens at every step, so that none can be learned by heart.
    def end(mask: Any) -> float:
        run, rng, values = begin(n_steps=150), np.random.default_rng(6), []
        for _ in range(150):
            windows = rng.integers(11, size=(8, 13))
            value, gradient = value_and_grad(
                lambda w, x=windows: cross_entropy_loss(
                    forward(CONFIG, w, x[:, :-1], mask), x[:, 1:]
                )
            )(run.weights)
            weights, moments = adamw(run.weights, gradient, run.moments, rate=0.01)
            run = replace(run, weights=weights, moments=moments)
            values.append(float(value))
        return float(np.mean(values[-20:]))

    assert end(None) > math.log(11) - 0.03
    assert end(np.zeros((12, 12))) < math.log(11) - 0.3


def test_the_loss_starts_near_that_of_a_uniform_guess() -> None:
    _, record = next(train(begin(), TEXT))
    assert record.loss == pytest.approx(math.log(11), abs=0.1)


def test_the_loss_is_the_mean_surprisal_of_the_next_tokens() -> None:
    weights, windows = begin().weights, TEXT[:26].reshape(2, 13)
    log_p = log_softmax(forward(CONFIG, weights, windows[:, :-1]).astype(np.float64))
    surprisals = [-log_p[b, t, windows[b, t + 1]] for b in range(2) for t in range(12)]
    assert float(loss(weights, CONFIG, windows)) == pytest.approx(np.mean(surprisals), rel=1e-6)


def test_the_gradient_of_the_loss_agrees_with_finite_differences() -> None:
    rng = np.random.default_rng(1)
    weights = tree_map(lambda w: 5.0 * w.astype(np.float64), begin().weights)
    off = check_gradient(lambda w: loss(w, CONFIG, TEXT[:26].reshape(2, 13)), weights, rng=rng)
    assert off < 1e-7


def test_one_batch_is_learned_by_heart() -> None:
    run, windows = begin(n_steps=120, peak=0.03, decay=0.0), TEXT[:26].reshape(2, 13)
    for _ in range(120):
        run, value, norm, _ = train_step(run, windows)
    assert value < 0.05
    assert norm < 1


def test_a_text_of_little_entropy_is_learned_to_its_entropy_rate() -> None:
    # A coin decides every third letter: the rate is a third of a bit.
    rng = np.random.default_rng(3)
    text = np.array([letter for coin in rng.integers(2, size=2000) for letter in (coin, 2, 3)])
    run = begin(n_steps=150)
    before = evaluate(CONFIG, run.weights, text[-300:], length=12, batch=16)
    *_, (run, _) = train(run, text[:-300])
    after = evaluate(CONFIG, run.weights, text[-300:], length=12, batch=16)
    assert before > 2
    # The first letter of a window has no context that tells where it stands.
    assert math.log(2) / 3 - 0.05 < after < math.log(2) / 3 + 0.15


def test_records_say_what_happened() -> None:
    records = [record for _, record in train(begin(n_steps=6), TEXT)]
    assert [record.step for record in records] == [1, 2, 3, 4, 5, 6]
    assert [record.tokens for record in records] == [48 * step for step in range(1, 7)]
    rates = warmup_cosine(range(1, 7), peak=0.01, warmup=4, total=6)
    np.testing.assert_allclose([record.rate for record in records], rates)
    assert all(record.seconds > 0 and record.gradient_norm > 0 for record in records)


def test_every_step_uses_the_rate_clip_and_decay_of_the_recipe() -> None:
    windows = TEXT[:52].reshape(4, 13)
    run = begin(warmup=0)
    still, *_ = train_step(begin(warmup=0, peak=0.0), windows)
    for before, after in zip(tree_leaves(run.weights), tree_leaves(still.weights), strict=True):
        np.testing.assert_array_equal(before, after)
    # A step of Adam does not see the limit, the average that it leaves does.
    tight, *_ = train_step(begin(warmup=0, limit=1e-3), windows)
    loose, _, norm, rate = train_step(run, windows)
    assert norm > 1e-3
    np.testing.assert_allclose(
        tight.moments.mean.norm, loose.moments.mean.norm * 1e-3 / min(norm, 1), rtol=1e-4
    )
    np.testing.assert_allclose(
        loose.moments.square.norm, 0.05 * (10 * loose.moments.mean.norm) ** 2, rtol=1e-4
    )
    free, *_ = train_step(begin(warmup=0, decay=0.0), windows)
    np.testing.assert_allclose(
        free.weights.embedding - loose.weights.embedding,
        rate * 0.1 * run.weights.embedding,
        atol=1e-7,
    )


def test_training_keeps_single_precision() -> None:
    run, _ = next(train(begin(), TEXT))
    trees = (run.weights, run.moments.mean, run.moments.square)
    assert {leaf.dtype for tree in trees for leaf in tree_leaves(tree)} == {np.dtype(np.float32)}


def test_a_seed_decides_the_whole_run() -> None:
    runs = []
    for seed in (1, 1, 2):
        *_, (run, _) = train(begin(seed, n_steps=4), TEXT)
        runs.append(run.weights.embedding)
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.any(runs[0] != runs[2])


# --- Batches and evaluation ------------------------------------------------------------------


def test_windows_are_pieces_of_the_text_from_everywhere() -> None:
    text = np.arange(20)
    drawn = list(islice(batches(text, batch=3, length=4, rng=np.random.default_rng(0)), 100))
    windows = np.concatenate(drawn)
    assert windows.shape == (300, 5)
    np.testing.assert_array_equal(np.diff(windows, axis=1), 1)
    assert set(windows[:, 0].tolist()) == set(range(16))  # the last window ends with the text


def test_the_shortest_text_has_one_window() -> None:
    windows = next(batches([5, 6, 7], batch=2, length=2, rng=np.random.default_rng(0)))
    np.testing.assert_array_equal(windows, [[5, 6, 7], [5, 6, 7]])


@pytest.mark.equation("eq-token-mean")
@settings(max_examples=30)
@given(st.integers(2, 60), st.integers(1, 20), st.integers(1, 5))
def test_evaluation_predicts_every_token_but_the_first_once(
    n: int, length: int, batch: int
) -> None:
    length = min(length, n - 1)
    weights: Any = tree_map(lambda w: w.astype(np.float64), begin().weights)
    text, total = TEXT[:n], 0.0
    for first in range(0, n - 1, length):
        window = text[first : first + length + 1]
        total += float(loss(weights, CONFIG, window[None])) * (len(window) - 1)
    found = evaluate(CONFIG, weights, text, length=length, batch=batch)
    assert found == pytest.approx(total / (n - 1), rel=1e-12)
