"""One world of listed answers, four roads, on the plane of reward and divergence.

There are ``prompts`` prompts, equally likely, with ``answers`` answers each; the reference π₀ is a
softmax of normal numbers, the true ("gold") rewards are normal, and preferences follow the
Bradley–Terry model of them. Pairs that are compared are two different answers drawn from the
reference. Policies are free tables of logits, begin at the reference, and expectations over answers
are exact sums. Everything is a mean over the prompts: ``reward`` of gold rewards, ``divergence``
KL(π ‖ π₀) in nats. β is the price of a nat. ``gap`` is the largest value of E r − β KL less the
policy's, and ``to_gibbs`` is KL(π ‖ π*) from the Gibbs policy π* of the gold rewards; the gap is β
times that. Result:

- ``prompts``, ``answers``; ``start``, the reference's mean reward.
- ``frontier``: Gibbs policies of gold rewards: ``betas``, ``reward``, ``divergence``.
- ``best_of_n``: best of n by gold rewards, exact: ``n``, ``reward``, ``divergence``, ``bound``
  (log n − (n − 1)/n), ``frontier`` (largest reward at the same divergence), and ``two_levels``, the
  divergence where answers above their prompt's median reward count as 1 and the others as 0.
- ``roads``: preferences known exactly; a list by ``beta``. ``gibbs``, the best policy, and the
  roads "reward_model_ppo" (Bradley–Terry fit, then PPO), "policy_gradient" (gold rewards) and
  "dpo", each with ``reward``, ``divergence``, ``gap``, ``to_gibbs`` and ``variation``, the largest
  total variation from π* over the prompts; for PPO also ``clipped``, the share of answers (by
  probability) that the clip silences at the last of a round's steps: in the first round, at most,
  and on average.
- ``reward_error``: largest error of the rewards fitted to exact preferences, up to a constant.
- ``finite``: preferences sampled, ``pairs`` a prompt (a list), ``draws`` sets each, at ``beta``.
  Each pair of answers also has ``prior`` virtual wins either way, without which a unique maximum
  need not exist. Of the Gibbs policy of the fitted rewards, where both roads end: ``reward``,
  ``divergence``, ``to_gibbs``, lists by pairs of [mean, low, high], an interval of 95 % over the
  sets; ``slope`` of log to_gibbs on log pairs over the last two; ``without_maximum``, by pairs, the
  share of prompts and sets in which the sampled wins alone have no unique maximum.
- ``trained``: for the first set of each number of ``pairs``, PPO on the fitted rewards and DPO on
  the wins, both with the prior: KL(π ‖ ·) from the Gibbs policy of the fitted rewards
  (``ppo_to_limit``, ``dpo_to_limit``) and of one from the other (``ppo_to_dpo``).
- ``overoptimized``: policies driven by fitted rewards, a list by number of ``pairs``; rewards are
  gains over the reference. For "gibbs" (the best policy of the proxy at each divergence; the last
  point is the limit of small β, the proxy's best answer alone) and "best_of_n" (``n``):
  ``distance``, root of the divergence (mean over the sets); ``gold`` and ``proxy``, means over the
  sets; ``gold_low`` and ``gold_high``, an interval of 95 %; ``form``, the forms of Gao et al.
  fitted to the means of gold by least squares, ``alpha``, ``beta`` and ``rms`` of the residuals;
  ``largest`` of the gold means, and ``peak``, its distance; ``drop``, [mean, low, high] over the
  sets of gold there less gold at the end. Where the peak lies was read from the same sets, which
  makes the drop look a little larger than it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import record
from primer_ref.alignment import dpo_gradient_weight
from primer_ref.autodiff import grad
from primer_ref.functional import log_softmax, softmax
from primer_ref.gibbs import (
    best_of_n_kl_bound,
    best_of_n_policy,
    gibbs_policy,
    optimal_value,
    regularized_objective,
)
from primer_ref.information import kl_divergence
from primer_ref.intervals import mean_interval
from primer_ref.kl_estimators import kl_k1
from primer_ref.optim import adam, initial_moments
from primer_ref.policy_gradient import policy_gradient
from primer_ref.ppo import ppo_is_clipped, ppo_surrogate
from primer_ref.preferences import bradley_terry, fit_bradley_terry

NAME = "alignment_plane"
SEED = 105
PROMPTS, ANSWERS = 4, 64
BETAS = (2.0, 1.0, 0.5, 0.25)
FRONTIER = tuple(float(f"{beta:.3g}") for beta in np.geomspace(20, 0.05, 27))
DRAWN = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
PAIRS = (100, 400, 1600, 6400, 25_600, 102_400)
OVERPAIRS = (100, 400, 1600)
DISTANCES = (0.25, 0.5, 0.75, 1.0, 1.2, 1.4, 1.6, 1.8, math.inf)
OVERDRAWN = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
DRAWS = 20
BETA = 0.5
PRIOR = 0.01
ROUNDS, INNER, RATE = 400, 3, 0.1

Floats = NDArray[np.floating[Any]]
Step = Callable[[Floats], Floats]


# --- The world ---------------------------------------------------------------------------------


def world() -> tuple[Floats, Floats]:
    """Draw the reference and the gold rewards of all prompts, shape (P, A)."""
    rng = np.random.default_rng(SEED)
    size = (PROMPTS, ANSWERS)
    return softmax(rng.normal(size=size)), rng.normal(size=size)


def shown(reference: Floats) -> Floats:
    """Say how often each ordered pair of different answers is compared, shape (P, A, A)."""
    both = reference[:, :, None] * reference[:, None, :] * (1 - np.eye(reference.shape[1]))
    return np.asarray(both / both.sum(axis=(1, 2), keepdims=True))


def expected_wins(reference: Floats, rewards: Floats) -> Floats:
    """Share of comparisons that the first answer takes part in, on either side, and wins."""
    return 2 * shown(reference) * bradley_terry(rewards[:, :, None], rewards[:, None, :])


def sampled_wins(reference: Floats, rewards: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Count the wins of n comparisons a prompt, shape (P, A, A)."""
    pairs = shown(reference)
    games = [rng.multinomial(n, rows.ravel()).reshape(rows.shape) for rows in pairs]
    won = rng.binomial(games, bradley_terry(rewards[:, :, None], rewards[:, None, :]))
    return (won + np.swapaxes(np.array(games) - won, 1, 2)).astype(np.float64)


def with_prior(wins: Floats) -> Floats:
    """Give every pair of different answers a little of a win either way."""
    return wins + PRIOR * (1 - np.eye(wins.shape[-1]))


def reward_model(wins: Floats) -> Floats:
    """Fit the rewards of each prompt's answers to its wins."""
    return np.stack([fit_bradley_terry(table).strengths for table in wins])


def has_maximum(table: Floats) -> bool:
    """Say whether a chain of wins leads from every answer to every other."""
    try:
        fit_bradley_terry(table)
    except ValueError:
        return False
    return True


def place(policy: Floats, reference: Floats, rewards: Floats) -> dict[str, float]:
    """Mean reward and divergence of a policy."""
    return {
        "reward": float(np.mean(np.sum(policy * rewards, axis=-1))),
        "divergence": float(np.mean(kl_divergence(policy, reference))),
    }


def judge(policy: Floats, reference: Floats, rewards: Floats, beta: float) -> dict[str, float]:
    """Compare a policy with the best one."""
    best = gibbs_policy(reference, rewards, beta=beta)
    value = regularized_objective(policy, reference, rewards, beta=beta)
    return {
        **place(policy, reference, rewards),
        "gap": float(np.mean(optimal_value(reference, rewards, beta=beta) - value)),
        "to_gibbs": float(np.mean(kl_divergence(policy, best))),
        "variation": float(np.max(np.sum(np.abs(policy - best), axis=-1) / 2)),
    }


def at_divergence(reference: Floats, rewards: Floats, divergence: float) -> Floats:
    """Find the Gibbs policy of some rewards whose mean divergence is given."""
    low, high = math.log(1e-4), math.log(1e4)  # of β, in which the divergence falls
    for _ in range(50):
        middle = (low + high) / 2
        policy = gibbs_policy(reference, rewards, beta=math.exp(middle))
        farther = np.mean(kl_divergence(policy, reference)) > divergence
        low, high = (middle, high) if farther else (low, middle)
    return policy


def best_of(n: int, reference: Floats, rewards: Floats) -> Floats:
    """Law of the best of n draws for each prompt."""
    return np.stack(
        [best_of_n_policy(p, r, n) for p, r in zip(reference, rewards, strict=True)]
    ).astype(np.float64)


# --- The roads ---------------------------------------------------------------------------------


def falling(number: int, steps: int) -> float:
    """Rate of a step, which falls to 0 along a half cosine."""
    return RATE * (1 + math.cos(math.pi * number / steps)) / 2


def descend(gradient: Step, logits: Floats, steps: int) -> Floats:
    """Take steps of Adam."""
    state = initial_moments(logits)
    for number in range(steps):
        logits, state = adam(logits, gradient(logits), state, rate=falling(number, steps))
    return logits


def ppo(reference: Floats, rewards: Floats, beta: float, rounds: int) -> tuple[Floats, list[float]]:
    """Go up the clipped surrogate, with the price of divergence in the reward; shares silenced."""
    log_reference = np.log(reference)
    logits, state, silenced = log_reference, initial_moments(log_reference), []
    for number in range(rounds):
        log_old = log_softmax(logits)
        old = np.exp(log_old)
        priced = rewards - beta * kl_k1(log_old, log_reference)
        advantage = priced - np.sum(old * priced, axis=-1, keepdims=True)

        def loss(z: Any, old: Any = old, log_old: Any = log_old, gain: Any = advantage) -> Any:
            return -np.sum(old * ppo_surrogate(np.exp(log_softmax(z) - log_old), gain))

        for inner in range(INNER):
            ratio = np.exp(log_softmax(logits) - log_old)
            clipped = np.sum(old * ppo_is_clipped(ratio, advantage), axis=-1)
            rate = falling(INNER * number + inner, INNER * rounds)
            logits, state = adam(logits, grad(loss)(logits), state, rate=rate)
        silenced.append(float(np.mean(clipped)))
    return softmax(logits), [silenced[0], max(silenced), float(np.mean(silenced))]


def plain_gradient(reference: Floats, rewards: Floats, beta: float, steps: int) -> Floats:
    """Go up the policy gradient, with the price of divergence in the reward."""
    log_reference = np.log(reference)

    def gradient(z: Floats) -> Floats:
        priced = rewards - beta * kl_k1(log_softmax(z), log_reference)
        return np.stack([-policy_gradient(*row) for row in zip(z, priced, strict=True)])

    return softmax(descend(gradient, log_reference, steps))


def dpo(reference: Floats, wins: Floats, beta: float, steps: int) -> Floats:
    """Minimize the DPO loss, averaged with the wins of each ordered pair as weights."""
    log_reference = np.log(reference)
    weights = wins / wins.sum(axis=(1, 2), keepdims=True)
    first = np.broadcast_to(log_reference[:, :, None], wins.shape)
    second = np.broadcast_to(log_reference[:, None, :], wins.shape)

    def gradient(z: Floats) -> Floats:
        log_p = log_softmax(z)
        chosen = np.broadcast_to(log_p[:, :, None], wins.shape)
        rejected = np.broadcast_to(log_p[:, None, :], wins.shape)
        pull = weights * dpo_gradient_weight(chosen, rejected, first, second, beta=beta)
        # A pair's pulls are opposite, so that they leave the normalization of π alone.
        return np.asarray(pull.sum(axis=1) - pull.sum(axis=2))

    return softmax(descend(gradient, log_reference, steps))


# --- What is measured --------------------------------------------------------------------------


def measure_frontier() -> dict[str, Any]:
    """Trace the frontier."""
    reference, rewards = world()
    points = [
        place(gibbs_policy(reference, rewards, beta=beta), reference, rewards) for beta in FRONTIER
    ]
    return {"betas": FRONTIER, **columns(points)}


def columns(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """Turn a list of mappings into a mapping of lists."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def measure_best_of_n() -> dict[str, Any]:
    """Place best-of-n on the plane."""
    reference, rewards = world()
    above = (rewards > np.median(rewards, axis=-1, keepdims=True)).astype(np.float64)
    rows = []
    for n in DRAWN:
        found = place(best_of(n, reference, rewards), reference, rewards)
        peer = at_divergence(reference, rewards, found["divergence"])
        two = place(best_of(n, reference, above), reference, above)
        rows.append(
            {
                "n": n,
                **found,
                "bound": best_of_n_kl_bound(n),
                "frontier": place(peer, reference, rewards)["reward"],
                "two_levels": two["divergence"],
            }
        )
    return columns(rows)


def measure_roads(beta: float, *, rounds: int = ROUNDS) -> dict[str, Any]:
    """Go all roads with exact preferences."""
    reference, rewards = world()
    wins = expected_wins(reference, rewards)
    fitted = reward_model(1e6 * wins)
    trained, clipped = ppo(reference, fitted, beta, rounds)
    policies = {
        "reward_model_ppo": trained,
        "policy_gradient": plain_gradient(reference, rewards, beta, INNER * rounds),
        "dpo": dpo(reference, wins, beta, INNER * rounds),
    }
    found: dict[str, Any] = {
        "beta": beta,
        "gibbs": place(gibbs_policy(reference, rewards, beta=beta), reference, rewards),
    }
    found |= {name: judge(policy, reference, rewards, beta) for name, policy in policies.items()}
    found["reward_model_ppo"]["clipped"] = clipped
    return found


def reward_error() -> float:
    """Fit rewards to exact preferences, and compare up to each prompt's constant."""
    reference, rewards = world()
    fitted = reward_model(1e6 * expected_wins(reference, rewards))
    return float(np.max(np.abs(fitted - rewards + rewards.mean(axis=-1, keepdims=True))))


def wins_of(n: int, draw: int) -> Floats:
    """Sample one of the sets of preferences."""
    return sampled_wins(*world(), n, np.random.default_rng([SEED, n, draw]))


def interval(values: ArrayLike) -> list[float]:
    """Mean and an interval of 95 %."""
    return list(astuple(mean_interval(values)))


def measure_finite(pairs: tuple[int, ...] = PAIRS, draws: int = DRAWS) -> dict[str, Any]:
    """Fit rewards to sampled preferences, and judge their Gibbs policy."""
    reference, rewards = world()
    found: dict[str, Any] = {"beta": BETA, "pairs": pairs, "draws": draws, "prior": PRIOR}
    names = ("reward", "divergence", "to_gibbs")
    found |= {name: [] for name in (*names, "without_maximum")}
    for n in pairs:
        tables = [wins_of(n, draw) for draw in range(draws)]
        fits = [reward_model(with_prior(wins)) for wins in tables]
        judged = columns(
            [
                judge(gibbs_policy(reference, fitted, beta=BETA), reference, rewards, BETA)
                for fitted in fits
            ]
        )
        for name in names:
            found[name].append(interval(judged[name]))
        failed = [not has_maximum(table) for wins in tables for table in wins]
        found["without_maximum"].append(float(np.mean(failed)))
    ratio = found["to_gibbs"][-1][0] / found["to_gibbs"][-2][0]
    found["slope"] = math.log(ratio) / math.log(pairs[-1] / pairs[-2])
    return found


def measure_trained(n: int, *, rounds: int = ROUNDS) -> dict[str, float]:
    """Train on sampled preferences, and compare with where the training should end."""
    reference, _ = world()
    wins = with_prior(wins_of(n, 0))
    fitted = reward_model(wins)
    limit = gibbs_policy(reference, fitted, beta=BETA)
    by_ppo, _ = ppo(reference, fitted, BETA, rounds)
    by_dpo = dpo(reference, wins, BETA, INNER * rounds)
    return {
        "pairs": n,
        "ppo_to_limit": float(np.mean(kl_divergence(by_ppo, limit))),
        "dpo_to_limit": float(np.mean(kl_divergence(by_dpo, limit))),
        "ppo_to_dpo": float(np.mean(kl_divergence(by_ppo, by_dpo))),
    }


def measure_overoptimized(n: int, draws: int = DRAWS) -> dict[str, Any]:
    """Drive policies by fitted rewards, and see what gold rewards do."""
    reference, rewards = world()
    fits = [reward_model(with_prior(wins_of(n, draw))) for draw in range(draws)]
    by_gibbs = [[at_divergence(reference, fit, d * d) for d in DISTANCES] for fit in fits]
    by_best = [[best_of(drawn, reference, fit) for drawn in OVERDRAWN] for fit in fits]
    gibbs = curve(by_gibbs, fits, reference, rewards, lambda d: d * np.log(d))
    best = curve(by_best, fits, reference, rewards, np.square)
    return {"pairs": n, "gibbs": gibbs, "best_of_n": {"n": OVERDRAWN, **best}}


def curve(
    policies: list[list[Floats]],
    fits: list[Floats],
    reference: Floats,
    rewards: Floats,
    bend: Callable[[Floats], Floats],
) -> dict[str, Any]:
    """Average gains over sets of preferences, and fit the form d α − β bend(d)."""

    def gains(row: list[Floats], r: Floats) -> list[float]:
        return [float(np.mean(np.sum((policy - reference) * r, axis=-1))) for policy in row]

    gold = np.array([gains(row, rewards) for row in policies])  # (draws, points)
    proxy = np.array([gains(row, fit) for row, fit in zip(policies, fits, strict=True)])
    divergence = [
        [float(np.mean(kl_divergence(policy, reference))) for policy in row] for row in policies
    ]
    distance = np.sqrt(np.mean(divergence, axis=0))
    mean, ends = gold.mean(axis=0), [interval(column.tolist()) for column in gold.T]
    shape = np.stack([distance, -bend(distance)], axis=1)
    (alpha, beta), *_ = np.linalg.lstsq(shape, mean)
    top = int(np.argmax(mean))
    return {
        "distance": distance,
        "gold": mean,
        "gold_low": [low for _, low, _ in ends],
        "gold_high": [high for *_, high in ends],
        "proxy": proxy.mean(axis=0),
        "form": {
            "alpha": alpha,
            "beta": beta,
            "rms": float(np.sqrt(np.mean((shape @ [alpha, beta] - mean) ** 2))),
        },
        "largest": mean[top],
        "peak": distance[top],
        "drop": interval((gold[:, top] - gold[:, -1]).tolist()),
    }


def measure() -> dict[str, Any]:
    """Measure everything; what takes long is kept part by part.

    Returns
    -------
    dict
        The fields described above.
    """
    reference, rewards = world()
    return {
        "prompts": PROMPTS,
        "answers": ANSWERS,
        "start": place(reference, reference, rewards)["reward"],
        "frontier": measure_frontier(),
        "best_of_n": measure_best_of_n(),
        "roads": record.parts(f"{NAME}-roads", BETAS, measure_roads),
        "reward_error": reward_error(),
        "finite": record.parts(f"{NAME}-finite", ["all"], lambda _: measure_finite())[0],
        "trained": record.parts(f"{NAME}-trained", PAIRS, measure_trained),
        "overoptimized": record.parts(f"{NAME}-over", OVERPAIRS, measure_overoptimized),
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command="python -m experiments.alignment_plane", seed=SEED)
    record.forget(NAME)


if __name__ == "__main__":
    main()
