"""A small transformer on the plane of reward and divergence: best-of-n, PPO and DPO.

A decoder of the package reads five novels by Austen byte by byte; it is the reference π₀. An answer
is what it writes after the one prompt, ``answer`` bytes long, at temperature 1; its reward is the
number of letters e among them (0, 1, 2, …), which anyone can check. β is the price of a nat, and
divergences are KL(π ‖ π₀) of whole answers, in nats. Best-of-n and the Gibbs policies of this
reward depend on the reference only through the law of its reward, which is estimated from
``samples`` answers of the reference; intervals of 95 % there come from ``resamples`` draws of these
with replacement. PPO has the letters themselves as rewards, the estimate k1 of each byte's
divergence in the reward, the sum of what follows as return, and the other answers of the batch as
baseline. DPO has pairs of answers of the reference, preferred by the Bradley–Terry model of the
reward. Both are evaluated on ``evaluated`` fresh answers of the policy. Everything is computed in
float64, so that another machine draws the same bytes. The lower of the two peak rates was tried
after the results at the higher one were seen; both are shown. Result, for the plan ``full`` and for
``check``, a tiny one that is quick to repeat:

- ``plan``: sizes of everything, in the names of the class `Plan`.
- ``reference``: ``parameters``; ``held_out``, loss in bits a byte on the start of the sixth novel;
  ``levels`` and ``counts`` of the reward of its samples, their ``mean`` [mean, low, high] and
  ``deviation``; ``texts``, some of them.
- ``frontier``: Gibbs policies by importance sampling, a list by ``beta``: ``reward``,
  ``divergence`` and ``value`` (β log Z), each [estimate, low, high], and ``effective``, the
  effective number of samples (Σw)²/Σw². Where that is below some hundreds, estimates and intervals
  know nothing of rewards that no sample reached, and the true frontier may lie elsewhere.
- ``best_of_n``: a list by ``n``: ``reward`` and ``divergence``, [estimate, low, high], by the law
  of the reward; ``bound`` on the divergence, log n − (n − 1)/n; ``kept``, [mean, low, high] of the
  rewards where the samples are cut into groups of n and the best is kept.
- ``ppo``, ``dpo``, and at the lower peak rate ``ppo_slow`` and ``dpo_slow``: lists by ``beta``.
  ``reward``, [mean, low, high]; ``k1`` and ``k3``, the divergence by sums over answers, and
  ``k3_bytes`` by the sum over bytes of k3 of each, likewise; ``above``, KL(π ‖ π*) from the Gibbs
  policy, likewise: the mean of log π/π₀ − r/β, plus log Z from ``frontier``; its interval holds
  the policy's sampling, not that of log Z. ``frontier_reward``, reward of the Gibbs policy whose
  divergence is the mean of k1; none beyond the last β of ``frontier``. ``texts``, the first
  answers drawn. PPO only: ``path``, ``reward`` and ``divergence`` (k1) of the batches on the way.
  DPO only: ``chosen`` and ``rejected``, mean change of the log-probability of the preferred and
  the other answers of fresh pairs; ``accuracy``, share of these pairs whose preferred answer has
  the larger implicit reward, ties counting half, and ``ceiling``, the same of the true reward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.alignment_plane import interval
from experiments.train_austen import alphabet, encode, load_or, read_novels
from primer_ref.alignment import dpo_loss
from primer_ref.attention import causal_mask
from primer_ref.autodiff import grad
from primer_ref.blocks import gated_width
from primer_ref.checkpoints import save_checkpoint
from primer_ref.config import Config
from primer_ref.decoding import sample
from primer_ref.functional import log_softmax
from primer_ref.gibbs import (
    best_of_n_kl_bound,
    best_of_n_policy,
    optimal_value,
    reward_kl_frontier,
)
from primer_ref.information import kl_divergence
from primer_ref.intervals import bootstrap_interval
from primer_ref.kl_estimators import kl_k1, kl_k3
from primer_ref.losses import token_losses
from primer_ref.optim import adam, clip_by_global_norm, initial_moments
from primer_ref.policy_gradient import advantages
from primer_ref.positions import rotations
from primer_ref.ppo import ppo_loss, rloo_advantages
from primer_ref.preferences import bradley_terry
from primer_ref.training import Recipe, Run, evaluate, start, train
from primer_ref.transformer import Weights, attend, embed, feed_forward, forward, project, unembed
from primer_ref.trees import tree_leaves, tree_map

NAME = "alignment_transformer"
SEED = 106
CHECKPOINTS = Path(__file__).parents[2] / "build" / "checkpoints" / NAME
PROMPT = "She "
LETTER = "e"
TEXTS = 3

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


RECIPE = Recipe(n_steps=900, batch=16, length=32, peak=6e-3, warmup=50, floor=3e-4)


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of the experiment."""

    width: int = 48
    recipe: Recipe = RECIPE
    held_out: int = 16_384
    answer: int = 16
    samples: int = 32_768
    resamples: int = 200
    evaluated: int = 4096
    betas: tuple[float, ...] = (2.0, 1.0, 0.5)
    frontier: tuple[float, ...] = (8.0, 4.0, 3.0, 2.0, 1.5, 1.25, 1.0, 0.8, 0.65, 0.5, 0.4, 0.3)
    drawn: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    rounds: int = 120
    round_batch: int = 64
    inner: int = 2
    dpo_steps: int = 200
    pairs: int = 32
    judged: int = 1024
    rate: float = 2e-3
    slow_rate: float = 5e-4
    slow_betas: tuple[float, ...] = (2.0, 1.0, 0.5)


CHECK = Plan(
    width=16,
    recipe=Recipe(n_steps=30, batch=8, length=16, peak=1e-2, warmup=5),
    held_out=500,
    answer=6,
    samples=256,
    resamples=20,
    evaluated=64,
    betas=(0.5,),
    frontier=(2.0, 0.5),
    drawn=(1, 4),
    rounds=3,
    round_batch=16,
    dpo_steps=3,
    pairs=8,
    judged=16,
    slow_betas=(),
)


# --- The reference -----------------------------------------------------------------------------


@cache
def numbers() -> list[int]:
    """List the bytes that are the vocabulary."""
    return alphabet()


def reference(plan: Plan, folder: Path) -> Run:
    """Train the reference, or go on training, or load it."""
    config = Config(
        n_layers=2,
        width=plan.width,
        n_heads=plan.width // 16,
        n_kv_heads=1,
        head_size=16,
        hidden=gated_width(plan.width, multiple_of=16),
        n_tokens=len(numbers()),
        context=plan.recipe.length,
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"reference-{plan.width}.npz"
    run = start(config, plan.recipe, rng=np.random.default_rng(SEED))
    weights = tree_map(lambda w: w.astype(np.float64), run.weights)
    run = load_or(path, replace(run, weights=weights, moments=initial_moments(weights)))
    text, _ = read_novels(numbers())
    for after, done in train(run, text):
        run = after
        if done.step % 100 == 0 or done.step == plan.recipe.n_steps:
            save_checkpoint(path, run)
    return run


def prompt() -> Ints:
    """Give the prompt in byte numbers."""
    return encode(PROMPT, numbers())


def draw(
    config: Config, weights: Weights, n: int, length: int, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Write n answers: rows of prompt and answer, and log-probabilities of the answers' bytes."""
    start_of, count = prompt(), len(prompt())
    rows = np.tile(start_of, (n, 1))
    log_probs, new = [], rows
    kept: list[Any] = [None] * len(weights.layers)  # keys and values so far, by layer
    for end in range(count, count + length):
        first = end - new.shape[1]
        turns = rotations(np.arange(first, end), config.head_size, base=config.rope_base)
        mask = causal_mask(new.shape[1], end)
        x = embed(config, weights, new)
        for number, layer in enumerate(weights.layers):
            q, *own = project(config, layer, x, turns)
            if kept[number] is not None:
                own = [join(*both) for both in zip(kept[number], own, strict=True)]
            kept[number] = own
            x, _ = attend(layer, x, q, *own, mask=mask)
            x = feed_forward(config, layer, x)
        log_p = log_softmax(unembed(config, weights, x[:, -1]))
        new = sample(np.exp(log_p), rng=rng)[:, None]
        log_probs.append(np.take_along_axis(log_p, new, axis=-1))
        rows = np.concatenate([rows, new], axis=1)
    return rows, np.concatenate(log_probs, axis=1)


def join(before: Floats, own: Floats) -> Floats:
    """Put keys or values of new positions behind those of earlier ones."""
    return np.concatenate([before, own], axis=-2)


def draw_many(
    config: Config, weights: Weights, n: int, length: int, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Write n answers, 512 at a time."""
    sizes = [min(512, n - done) for done in range(0, n, 512)]
    rows, log_probs = zip(*(draw(config, weights, m, length, rng) for m in sizes), strict=True)
    return np.concatenate(rows), np.concatenate(log_probs)


def score(config: Config, weights: Weights, rows: Ints) -> Any:
    """Log-probabilities of the answers' bytes, shape (n, answer); differentiable."""
    losses = token_losses(forward(config, weights, rows[:, :-1]), rows[:, 1:])
    return -losses[:, len(prompt()) - 1 :]


def score_many(config: Config, weights: Weights, rows: Ints) -> Floats:
    """Log-probabilities of many answers' bytes, 512 answers at a time."""
    parts = [score(config, weights, rows[i : i + 512]) for i in range(0, len(rows), 512)]
    return np.concatenate(parts)


def letters(rows: Ints) -> Floats:
    """Say which bytes of the answers are the letter that is rewarded, as numbers."""
    number = encode(LETTER, numbers())[0]
    return np.asarray(rows[:, len(prompt()) :] == number, dtype=np.float64)


def write(rows: Ints) -> list[str]:
    """Read the first answers as text."""
    answers = np.array(numbers(), np.uint8)[rows[:TEXTS, len(prompt()) :]]
    return [answer.tobytes().decode(errors="replace") for answer in answers]


# --- What the law of the reward gives ----------------------------------------------------------


def mass(rewards: Floats, length: int) -> Floats:
    """Share of answers with each number of letters from 0 to the length."""
    counts = np.bincount(rewards.astype(np.int64), minlength=length + 1)
    return np.asarray(counts / len(rewards))


def estimated(
    rewards: Floats, statistic: Callable[[Floats], float], plan: Plan, key: int
) -> list[float]:
    """Estimate a function of the law of the reward, with an interval."""
    found = bootstrap_interval(
        rewards,
        lambda sampled: statistic(mass(sampled, plan.answer)),
        rng=np.random.default_rng([SEED, 5, key]),
        n_resamples=plan.resamples,
    )
    return list(astuple(found))


def gibbs_reward(p: Floats, beta: float) -> float:
    """Mean reward of a Gibbs policy."""
    return float(reward_kl_frontier(p, np.arange(float(len(p))), [beta])[0][0])


def gibbs_divergence(p: Floats, beta: float) -> float:
    """Divergence of a Gibbs policy."""
    return float(reward_kl_frontier(p, np.arange(float(len(p))), [beta])[1][0])


def best_value(p: Floats, beta: float) -> float:
    """Largest mean of reward less the price of divergence, β log Z."""
    return float(optimal_value(p, np.arange(float(len(p))), beta=beta))


def kept_reward(p: Floats, n: int) -> float:
    """Mean reward of best-of-n."""
    return float(best_of_n_policy(p, np.arange(len(p)), n) @ np.arange(len(p)))


def kept_divergence(p: Floats, n: int) -> float:
    """Divergence of best-of-n."""
    return float(kl_divergence(best_of_n_policy(p, np.arange(len(p)), n), p))


def measure_frontier(rewards: Floats, plan: Plan) -> list[dict[str, Any]]:
    """Estimate the Gibbs policies of the reward."""
    found = []
    for key, beta in enumerate(plan.frontier):
        weights = np.exp((rewards - rewards.max()) / beta)
        found.append(
            {
                "beta": beta,
                "reward": estimated(rewards, partial(gibbs_reward, beta=beta), plan, key),
                "divergence": estimated(rewards, partial(gibbs_divergence, beta=beta), plan, key),
                "value": estimated(rewards, partial(best_value, beta=beta), plan, key),
                "effective": float(weights.sum() ** 2 / (weights**2).sum()),
            }
        )
    return found


def measure_best_of_n(rewards: Floats, plan: Plan) -> list[dict[str, Any]]:
    """Place best-of-n on the plane."""
    found = []
    for n in plan.drawn:
        groups = rewards[: len(rewards) // n * n].reshape(-1, n)
        found.append(
            {
                "n": n,
                "reward": estimated(rewards, partial(kept_reward, n=n), plan, 100 + n),
                "divergence": estimated(rewards, partial(kept_divergence, n=n), plan, 100 + n),
                "bound": best_of_n_kl_bound(n),
                "kept": interval(groups.max(axis=1)),
            }
        )
    return found


def reward_at(divergence: float, p: Floats, least: float) -> float | None:
    """Reward of the Gibbs policy of a divergence, if its β is not below the least given."""
    if gibbs_divergence(p, least) < divergence:
        return None
    low, high = math.log(least), math.log(1e3)
    for _ in range(50):
        middle = (low + high) / 2
        farther = gibbs_divergence(p, math.exp(middle)) > divergence
        low, high = (middle, high) if farther else (low, middle)
    return gibbs_reward(p, math.exp(middle))


# --- Roads -------------------------------------------------------------------------------------


def ppo(run: Run, plan: Plan, beta: float) -> tuple[Weights, dict[str, list[float]]]:
    """Train on letters less the price of divergence; the policy, and how it went."""
    config, rng = run.config, np.random.default_rng([SEED, 1])
    weights, state = run.weights, initial_moments(run.weights)
    path: dict[str, list[float]] = {"reward": [], "divergence": []}
    for number in range(plan.rounds):
        rate = plan.rate * (1 - number / plan.rounds)
        rows, log_old = draw(config, weights, plan.round_batch, plan.answer, rng)
        k1 = kl_k1(log_old, score(config, run.weights, rows))  # a number in the reward
        priced = letters(rows) - beta * k1
        values = np.zeros((len(rows), plan.answer + 1))
        returns = advantages(priced, values, decay=1.0)  # what follows, and no value is learned
        better = rloo_advantages(returns.T).T  # against the others at the same place

        def loss(w: Any, rows: Ints = rows, old: Floats = log_old, gain: Any = better) -> Any:
            return ppo_loss(score(config, w, rows), old, gain)

        for _ in range(plan.inner):
            weights, state = step(weights, grad(loss)(weights), state, rate)
        path["reward"].append(float(letters(rows).sum(axis=1).mean()))
        path["divergence"].append(float(k1.sum(axis=1).mean()))
    return weights, path


def step(weights: Weights, gradient: Weights, state: Any, rate: float) -> tuple[Weights, Any]:
    """Take a step of Adam with a clipped gradient."""
    gradient, _ = clip_by_global_norm(gradient, limit=1.0)
    moved: tuple[Weights, Any] = adam(weights, gradient, state, rate=rate)
    return moved


def preferred(
    run: Run, plan: Plan, n: int, rng: np.random.Generator
) -> tuple[Ints, Ints, Floats, Floats]:
    """Draw n pairs of answers of the reference, the preferred first, with their rewards."""
    rows, _ = draw_many(run.config, run.weights, 2 * n, plan.answer, rng)
    rewards = letters(rows).sum(axis=1)
    won = rng.random(n) < bradley_terry(rewards[:n], rewards[n:])
    first = np.where(won, np.arange(n), np.arange(n, 2 * n))
    second = np.where(won, np.arange(n, 2 * n), np.arange(n))
    return rows[first], rows[second], rewards[first], rewards[second]


def dpo(run: Run, plan: Plan, beta: float) -> Weights:
    """Train on preferences; every step has new pairs."""
    config, rng = run.config, np.random.default_rng([SEED, 2])
    weights, state = run.weights, initial_moments(run.weights)
    for number in range(plan.dpo_steps):
        rate = plan.rate * (1 - number / plan.dpo_steps)
        chosen, rejected, *_ = preferred(run, plan, plan.pairs, rng)
        rows = np.concatenate([chosen, rejected])
        fixed = score(config, run.weights, rows).sum(axis=1)

        def loss(w: Any, rows: Ints = rows, fixed: Floats = fixed) -> Any:
            log_p, n = np.sum(score(config, w, rows), axis=1), plan.pairs
            return dpo_loss(log_p[:n], log_p[n:], fixed[:n], fixed[n:], beta=beta)

        weights, state = step(weights, grad(loss)(weights), state, rate)
    return weights


def judge(run: Run, weights: Weights, beta: float, plan: Plan, p: Floats) -> dict[str, Any]:
    """Place a policy on the plane, from its own samples; p is the law of the reward under π₀."""
    rng = np.random.default_rng([SEED, 3])
    rows, log_p = draw_many(run.config, weights, plan.evaluated, plan.answer, rng)
    log_reference = score_many(run.config, run.weights, rows)
    rewards = letters(rows).sum(axis=1)
    sums = log_p.sum(axis=1), log_reference.sum(axis=1)
    k1 = kl_k1(*sums)
    log_z = best_value(p, beta) / beta
    return {
        "beta": beta,
        "reward": interval(rewards),
        "k1": interval(k1),
        "k3": interval(kl_k3(*sums)),
        "k3_bytes": interval(kl_k3(log_p, log_reference).sum(axis=1)),
        "above": interval(k1 - rewards / beta + log_z),
        "frontier_reward": reward_at(float(k1.mean()), p, min(plan.frontier)),
        "texts": write(rows),
    }


def judge_pairs(run: Run, weights: Weights, plan: Plan) -> dict[str, Any]:
    """See what became of the two answers of fresh pairs."""
    rng = np.random.default_rng([SEED, 4])
    chosen, rejected, up, down = preferred(run, plan, plan.judged, rng)
    changes = []
    for rows in (chosen, rejected):
        log_p, fixed = (score_many(run.config, w, rows).sum(axis=1) for w in (weights, run.weights))
        changes.append(log_p - fixed)
    return {
        "chosen": interval(changes[0]),
        "rejected": interval(changes[1]),
        "accuracy": float(np.mean(0.5 + np.sign(changes[0] - changes[1]) / 2)),
        "ceiling": float(np.mean(0.5 + np.sign(up - down) / 2)),
    }


# --- All of it ---------------------------------------------------------------------------------


def measure_reference(plan: Plan, folder: Path) -> dict[str, Any]:
    """Measure the reference, and what follows from the law of its reward."""
    run = reference(plan, folder)
    rows, _ = draw_many(
        run.config, run.weights, plan.samples, plan.answer, np.random.default_rng([SEED, 0])
    )
    rewards = letters(rows).sum(axis=1)
    test = read_novels(numbers())[1][: plan.held_out]
    loss = evaluate(run.config, run.weights, test, length=plan.recipe.length, batch=64)
    return {
        "reference": {
            "parameters": sum(leaf.size for leaf in tree_leaves(run.weights)),
            "held_out": loss / math.log(2),
            "levels": np.arange(plan.answer + 1),
            "counts": np.bincount(rewards.astype(np.int64), minlength=plan.answer + 1),
            "mean": interval(rewards),
            "deviation": rewards.std(ddof=1),
            "texts": write(rows),
        },
        "frontier": measure_frontier(rewards, plan),
        "best_of_n": measure_best_of_n(rewards, plan),
    }


def measure_road(item: tuple[str, float], plan: Plan, folder: Path, p: Floats) -> dict[str, Any]:
    """Measure a road at one β, such as ("ppo", 1); p is the law of the reward under π₀."""
    road, beta = item
    run = reference(plan, folder)
    if road.endswith("_slow"):
        plan = replace(plan, rate=plan.slow_rate)
    if road.startswith("ppo"):
        weights, path = ppo(run, plan, beta)
        return judge(run, weights, beta, plan, p) | {"path": path}
    weights = dpo(run, plan, beta)
    return judge(run, weights, beta, plan, p) | judge_pairs(run, weights, plan)


def measure_plan(name: str, plan: Plan, folder: Path, kept: Path) -> dict[str, Any]:
    """Measure a plan, part by part."""
    [first] = record.parts(
        f"{NAME}-{name}", ["reference"], lambda _: measure_reference(plan, folder), folder=kept
    )
    counts = np.array(first["reference"]["counts"])
    betas = {"": plan.betas, "_slow": plan.slow_betas}
    found = {
        road + speed: record.parts(
            f"{NAME}-{name}-{road}{speed}",
            [(road + speed, beta) for beta in betas[speed]],
            lambda item: measure_road(item, plan, folder, counts / counts.sum()),
            folder=kept,
        )
        for road in ("ppo", "dpo")
        for speed in betas
    }
    return {"plan": asdict(plan) | {"prompt": PROMPT, "letter": LETTER}, **first, **found}


def measure(
    *,
    plans: Mapping[str, Plan] | None = None,
    folder: Path = CHECKPOINTS,
    kept: Path = record.PARTS,
) -> dict[str, Any]:
    """Measure everything.

    Parameters
    ----------
    plans : mapping, optional
        The plans by name; "check" and "full" if not given.
    folder : Path
        Where the trained references are kept.
    kept : Path
        Where parts that are done are kept.

    Returns
    -------
    dict
        The fields described above.
    """
    plans = {"check": CHECK, "full": Plan()} if plans is None else plans
    return {name: measure_plan(name, plan, folder, kept) for name, plan in plans.items()}


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command="python -m experiments.alignment_transformer", seed=SEED)
    record.forget(NAME)


if __name__ == "__main__":
    main()
