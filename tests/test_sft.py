"""Supervised fine-tuning: the two averages, the shift, and what the mask keeps out."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import minimize

from primer_ref.autodiff import check_gradient, grad
from primer_ref.sft import sft_loss, sft_loss_by_sequence

F = NDArray[np.float64]
Batch = tuple[F, NDArray[np.int64], NDArray[np.bool_]]


def conversations(seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    answer = np.zeros((3, 7), bool)
    answer[0, 2:7] = answer[1, 4:5] = answer[2, 3:5] = True
    return rng.normal(size=(3, 7, 5)), rng.integers(0, 5, size=(3, 7)), answer


def surprisals(batch: Batch) -> list[list[float]]:
    """Surprisal of every answer token, one at a time, from the row of logits before it."""
    logits, tokens, answer = batch
    log_p = special.log_softmax(logits, axis=-1)
    return [
        [-float(log_p[b, t - 1, tokens[b, t]]) for t in np.flatnonzero(answer[b])]
        for b in range(len(tokens))
    ]


@pytest.mark.equation("eq-sft-loss")
@pytest.mark.equation("eq-sft-by-sequence")
def test_token_average_pools_the_tokens_and_sequence_average_the_answers() -> None:
    batch = conversations()
    each = surprisals(batch)
    np.testing.assert_allclose(sft_loss(*batch), np.mean(np.concatenate(each)))
    np.testing.assert_allclose(sft_loss_by_sequence(*batch), np.mean([np.mean(s) for s in each]))


def test_the_averages_agree_for_answers_of_one_length() -> None:
    logits, tokens, _ = conversations()
    answer = np.zeros((3, 7), bool)
    answer[0, 1:3] = answer[1, 5:7] = answer[2, 2:4] = True
    np.testing.assert_allclose(
        sft_loss(logits, tokens, answer), sft_loss_by_sequence(logits, tokens, answer)
    )


@pytest.mark.parametrize("loss", [sft_loss, sft_loss_by_sequence])
def test_prompts_and_padding_are_no_targets(loss: object) -> None:
    assert callable(loss)
    logits, tokens, answer = conversations()
    other = np.where(answer, tokens, (tokens + 1) % 5)
    assert loss(logits, other, answer) == loss(logits, tokens, answer)
    slope = grad(lambda z: loss(z, tokens, answer))(logits)
    taught = np.zeros((3, 7), bool)
    taught[:, :-1] = answer[:, 1:]
    np.testing.assert_array_equal(np.any(slope != 0, axis=-1), taught)


@pytest.mark.parametrize("loss", [sft_loss, sft_loss_by_sequence])
def test_losses_agree_with_finite_differences(loss: object) -> None:
    assert callable(loss)
    logits, tokens, answer = conversations(1)
    rng = np.random.default_rng(0)
    assert check_gradient(lambda z: loss(z, tokens, answer), logits, rng=rng) < 1e-6


def test_a_token_of_a_short_answer_weighs_more_by_sequence() -> None:
    logits, tokens, answer = conversations()
    by_token, by_answer = (
        np.abs(grad(lambda z, loss=loss: loss(z, tokens, answer))(logits)).sum(-1)
        for loss in (sft_loss, sft_loss_by_sequence)
    )
    # Eight answer tokens in three answers of 5, 1 and 2: weights 1/8 against 1/15, 1/3 and 1/6.
    for row, length in ((0, 5), (1, 1), (2, 2)):
        shown = by_token[row] > 0
        ratio = by_answer[row][shown] / by_token[row][shown]
        np.testing.assert_allclose(ratio, 8 / (3 * length))


def test_averages_by_answer_imitate_where_the_prompt_fixes_the_length() -> None:
    # Prompt 0 has answers of 1 token, prompt 3 of 2; each begins with 1 three times as often as 2.
    tokens = np.array([[0, 1, 0]] * 3 + [[0, 2, 0]] + [[3, 1, 1]] * 3 + [[3, 2, 1]])
    answer = np.array([[False, True, False]] * 4 + [[False, True, True]] * 4)

    def logits(z: F) -> F:  # after the first token of an answer comes 1
        certain = np.where(np.arange(4) == 1, 0.0, -40.0)
        first = [np.array([-40.0, score, 0.0, -40.0]) for score in z]
        return np.stack(
            [np.stack([first[0], certain, certain])] * 4
            + [np.stack([first[1], certain, certain])] * 4
        )

    for loss in (sft_loss, sft_loss_by_sequence):
        found = minimize(lambda z, loss=loss: float(loss(logits(z), tokens, answer)), [0.3, 0.3])
        np.testing.assert_allclose(np.exp(found.x), 3, rtol=1e-4)
    at = logits(np.zeros(2)), tokens, answer
    assert sft_loss(*at) < 0.9 * sft_loss_by_sequence(*at)  # though the two differ


def test_averages_by_answer_imitate_short_answers_too_often() -> None:
    # Answers of 1 and of 2 tokens, equally frequent, which differ in the first token.
    tokens = np.array([[0, 1, 0], [0, 2, 1]])
    answer = np.array([[False, True, False], [False, True, True]])

    def logits(z: F) -> F:  # the prompt is followed by 1 or 2, and 2 by 1
        certain = np.where(np.arange(3) == 1, 0.0, -40.0)
        first = np.array([-40.0, z[0], 0.0])
        return np.stack([np.stack([first, certain, certain])] * 2)

    for loss, odds in ((sft_loss, 1.0), (sft_loss_by_sequence, 2.0)):
        found = minimize(lambda z, loss=loss: float(loss(logits(z), tokens, answer)), [0.3])
        np.testing.assert_allclose(np.exp(found.x), odds, rtol=1e-4)
