"""What three estimators of a divergence estimate, and what they teach when differentiated.

Samples come from a policy π; the divergence is KL(π ‖ π₀) from the reference π₀, in nats. The
estimators are those of `primer_ref.kl_estimators`. "Exact" numbers are sums over all answers, or
for the Gaussians over a fine grid; "sampled" ones come from ``samples`` draws. Result:

- ``samples``: draws of each sampled number.
- ``gaussian``: Schulman's setting, π = N(0, 1) and π₀ = N(μ, 1), whose divergence is μ²/2.
  ``shifts`` μ and ``divergences``; ``estimators``, for "k1", "k2" and "k3" and by shift: ``bias``
  (mean less divergence) and ``deviation`` (standard deviation of one sample), both over the
  divergence and exact; ``sampled_bias`` with ``low`` and ``high``, an interval of 95 %, and
  ``sampled_deviation``, the same from samples. ``crossover``: divergence at which k1 and k3 have
  the same deviation; above it k1 has less.
- ``listed``: laws over ``answers`` answers. The reference is a softmax of normal numbers, and the
  policy of each scale t (``scales``) a softmax of log π₀ plus t times a direction. By scale:
  ``reverse``, KL(π ‖ π₀); ``forward``, KL(π₀ ‖ π); ``cosine`` and ``length_ratio`` of the gradients
  of the two at the logits, the forward one's length over the other's. ``estimators``, for each and
  by scale: ``bias`` and ``deviation`` as above; ``to_zero``, ``to_reverse``, ``to_forward``, the
  largest difference over the logits of the exact mean gradient on the policy's own samples, and 0
  or the gradients of the two divergences; ``signal``, length of the exact mean gradient;
  ``noise``, root of the summed variance of the gradient of one sample; ``chi_zero``,
  ``chi_reverse``, ``chi_forward``, squared distance of the sampled mean gradient from the same
  three in standard errors (Hotelling's statistic), which follows about chi-squared with
  ``freedom`` degrees of freedom for the right one; ``t_zero``, ``t_reverse``, ``t_forward``, the
  largest distance of one coordinate in standard errors. Every estimator has samples of its own.
- ``stale``: k1 as a loss on samples of the reference instead, by scale: ``to_minus_forward``,
  largest difference of its mean gradient and minus that of the forward divergence, and ``length``.
- ``support``: reference mass ``missing`` on an answer that the policy never gives, and by it the
  mean of ``k1`` and ``k3`` less the divergence.
- ``destinations``: where ascent along the exact mean gradient of reward − β · estimator ends, from
  the reference, after ``steps`` steps of ``rate``. For "k1_in_reward" (a number in the reward) and
  for "k1", "k2" and "k3" as losses: ``reward``, ``reverse``, ``forward``, ``to_gibbs`` (total
  variation from the Gibbs policy), ``to_forward`` (from the best policy under a forward penalty),
  ``last_step`` (largest entry of the last gradient). ``beta``, and for comparison ``start``,
  ``gibbs``, ``forward_best`` and ``largest_reward``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from primer_ref.autodiff import grad, jacobian
from primer_ref.decoding import sample
from primer_ref.functional import log_softmax, softmax
from primer_ref.gibbs import gibbs_policy
from primer_ref.information import kl_divergence
from primer_ref.intervals import mean_interval
from primer_ref.kl_estimators import kl_k1, kl_k2, kl_k3
from primer_ref.policy_gradient import policy_gradient

NAME = "kl_gradients"
SEED = 104
SHIFTS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)
SCALES = (0.1, 0.5, 1.0, 2.0, 3.0)
ANSWERS = 8
SAMPLES = 200_000
BETA = 0.5
STEPS = 5000
RATE = 1.0
MISSING = (0.01, 0.1, 0.3)

Floats = NDArray[np.floating[Any]]
Estimator = Callable[[Any, Any], Any]
ESTIMATORS: dict[str, Estimator] = {"k1": kl_k1, "k2": kl_k2, "k3": kl_k3}


# --- Values ------------------------------------------------------------------------------------


def log_normal_density(x: Floats, mean: float) -> Floats:
    """Logarithm of the density of a normal variable of variance 1."""
    return -((x - mean) ** 2) / 2 - math.log(2 * math.pi) / 2


def gaussian_moments(estimator: Estimator, shift: float) -> tuple[float, float]:
    """Mean and standard deviation of one sample's estimate, by sums over a fine grid."""
    x, step = np.linspace(-15, 15, 30_001, retstep=True)  # all but e⁻¹⁰⁰ of either law
    density = np.exp(log_normal_density(x, 0)) * step
    values = estimator(log_normal_density(x, 0), log_normal_density(x, shift))
    mean = float(density @ values)
    return mean, math.sqrt(density @ (values - mean) ** 2)


def gaussian(estimator: Estimator, shift: float, n: int, rng: np.random.Generator) -> Floats:
    """Bias, deviation, sampled bias, its interval, sampled deviation; all over the divergence."""
    true = shift**2 / 2
    mean, deviation = gaussian_moments(estimator, shift)
    x = rng.normal(size=n)
    values = estimator(log_normal_density(x, 0), log_normal_density(x, shift))
    found = mean_interval(values)
    ends = np.array([found.value, found.low, found.high]) - true
    return np.array([mean - true, deviation, *ends, np.std(values, ddof=1)]) / true


def crossover() -> float:
    """Find the divergence of two Gaussians at which k1 and k3 have the same deviation."""
    low, high = 0.5, 2.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        worse = gaussian_moments(kl_k3, middle)[1] > gaussian_moments(kl_k1, middle)[1]
        low, high = (low, middle) if worse else (middle, high)
    return low**2 / 2


# --- Gradients ---------------------------------------------------------------------------------


def world(n_answers: int) -> tuple[Floats, Floats]:
    """Draw the logarithm of the reference, and the direction in which policies leave it."""
    rng = np.random.default_rng(SEED)
    return log_softmax(rng.normal(size=n_answers)), rng.normal(size=n_answers)


def divergence_gradients(logits: Floats, log_reference: Floats) -> tuple[Floats, Floats]:
    """Differentiate KL(π ‖ π₀) and KL(π₀ ‖ π), as sums over all answers, at the logits of π."""
    reference = np.exp(log_reference)
    reverse = grad(lambda z: np.sum(softmax(z) * (log_softmax(z) - log_reference)))(logits)
    forward = grad(lambda z: np.sum(reference * (log_reference - log_softmax(z))))(logits)
    return reverse, forward


def answer_gradients(estimator: Estimator, logits: Floats, log_reference: Floats) -> Floats:
    """Differentiate the estimate from each answer at the logits; a row an answer."""
    rows: Floats = jacobian(lambda z: estimator(log_softmax(z), log_reference))(logits)
    return rows


def hotelling(rows: Floats, counts: Floats, target: Floats) -> tuple[float, float]:
    """Distance of a mean from a target in standard errors: squared and whole, and by coordinate."""
    n = counts.sum()
    gap = counts @ rows / n - target
    centered = rows - counts @ rows / n
    covariance = (centered * counts[:, None]).T @ centered / (n - 1) / n
    largest = np.max(np.abs(gap) / np.sqrt(np.diag(covariance)))
    return float(gap @ np.linalg.pinv(covariance, rcond=1e-10) @ gap), float(largest)


def draw_counts(policy: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draw answers, and count each."""
    drawn = sample(np.broadcast_to(policy, (n, len(policy))), rng=rng)
    return np.bincount(drawn, minlength=len(policy)).astype(np.float64)


def listed(
    estimator: Estimator, logits: Floats, log_reference: Floats, counts: Floats
) -> dict[str, float]:
    """Compare an estimator's value and gradient with the divergences'; counts are the samples."""
    policy, log_policy = softmax(logits), log_softmax(logits)
    values = estimator(log_policy, log_reference)
    true, mean = float(policy @ (log_policy - log_reference)), float(policy @ values)
    rows = answer_gradients(estimator, logits, log_reference)
    gradient = policy @ rows
    reverse, forward = divergence_gradients(logits, log_reference)
    targets = {"zero": np.zeros_like(reverse), "reverse": reverse, "forward": forward}
    found = {
        "bias": (mean - true) / true,
        "deviation": math.sqrt(policy @ (values - mean) ** 2) / true,
        "signal": float(np.linalg.norm(gradient)),
        "noise": math.sqrt(np.sum(policy @ (rows - gradient) ** 2)),
    }
    for name, target in targets.items():
        found[f"to_{name}"] = float(np.max(np.abs(gradient - target)))
        found[f"chi_{name}"], found[f"t_{name}"] = hotelling(rows, counts, target)
    return found


def forward_best(reference: Floats, rewards: Floats, beta: float) -> Floats:
    """Maximize reward − β KL(π₀ ‖ π): π = β π₀ / (λ − r), with the λ that makes it sum to 1."""
    # At the lower end the likeliest term alone is 1 or more; at the upper end all are π₀ or less.
    low, high = float(np.max(rewards + beta * reference)), float(np.max(rewards)) + beta
    while low < (middle := (low + high) / 2) < high:
        above = np.sum(beta * reference / (middle - rewards)) > 1
        low, high = (middle, high) if above else (low, middle)
    policy = beta * reference / (high - rewards)
    return np.asarray(policy / policy.sum())


def destination(name: str, rewards: Floats, log_reference: Floats, steps: int) -> dict[str, float]:
    """Go up the mean gradient of reward less β times an estimator, and say where that ends."""
    logits, reference = log_reference, np.exp(log_reference)
    for _ in range(steps):
        if name == "k1_in_reward":
            priced = rewards - BETA * kl_k1(log_softmax(logits), log_reference)
            step = policy_gradient(logits, priced)
        else:
            drawn = softmax(logits)  # samples stay as drawn: no gradient goes through them
            penalty = grad(
                lambda z, drawn=drawn: np.sum(
                    drawn * ESTIMATORS[name](log_softmax(z), log_reference)
                )
            )(logits)
            step = policy_gradient(logits, rewards) - BETA * penalty
        logits = logits + RATE * step
    policy = softmax(logits)
    return {
        **place(policy, reference, rewards),
        "to_gibbs": variation(policy, gibbs_policy(reference, rewards, beta=BETA)),
        "to_forward": variation(policy, forward_best(reference, rewards, BETA)),
        "last_step": float(np.max(np.abs(step))),
    }


def variation(p: Floats, q: Floats) -> float:
    """Total variation distance of two laws."""
    return float(np.sum(np.abs(p - q)) / 2)


def place(policy: Floats, reference: Floats, rewards: Floats) -> dict[str, float]:
    """Mean reward of a policy, and its divergences from and of the reference."""
    return {
        "reward": float(policy @ rewards),
        "reverse": float(kl_divergence(policy, reference)),
        "forward": float(kl_divergence(reference, policy)),
    }


# --- All of it ---------------------------------------------------------------------------------


def measure_gaussians(n: int) -> dict[str, Any]:
    """Measure Schulman's setting."""
    rng = np.random.default_rng(SEED)
    fields = ("bias", "deviation", "sampled_bias", "low", "high", "sampled_deviation")
    found = {
        name: dict(
            zip(fields, np.transpose([gaussian(k, mu, n, rng) for mu in SHIFTS]), strict=True)
        )
        for name, k in ESTIMATORS.items()
    }
    divergences = [mu**2 / 2 for mu in SHIFTS]
    return {
        "shifts": SHIFTS,
        "divergences": divergences,
        "estimators": found,
        "crossover": crossover(),
    }


def measure_listed(n: int) -> dict[str, Any]:
    """Measure values and gradients over listed answers."""
    rng = np.random.default_rng(SEED + 1)
    log_reference, direction = world(ANSWERS)
    result: dict[str, Any] = {"answers": ANSWERS, "freedom": ANSWERS - 1, "scales": SCALES}
    rows: list[dict[str, Any]] = []
    for scale in SCALES:
        logits = log_reference + scale * direction
        policy, reference = softmax(logits), np.exp(log_reference)
        reverse, forward = divergence_gradients(logits, log_reference)
        lengths = np.linalg.norm(reverse), np.linalg.norm(forward)
        rows.append(
            {
                "reverse": float(kl_divergence(policy, reference)),
                "forward": float(kl_divergence(reference, policy)),
                "cosine": float(reverse @ forward / lengths[0] / lengths[1]),
                "length_ratio": float(lengths[1] / lengths[0]),
                "estimators": {
                    name: listed(k, logits, log_reference, draw_counts(policy, n, rng))
                    for name, k in ESTIMATORS.items()
                },
            }
        )
    for name in ("reverse", "forward", "cosine", "length_ratio"):
        result[name] = [row[name] for row in rows]
    result["estimators"] = {
        name: {
            field: [row["estimators"][name][field] for row in rows]
            for field in rows[0]["estimators"][name]
        }
        for name in ESTIMATORS
    }
    return result


def measure_stale() -> dict[str, Any]:
    """Differentiate k1 on samples of the reference instead of the policy's own."""
    log_reference, direction = world(ANSWERS)
    gaps, lengths = [], []
    for scale in SCALES:
        logits = log_reference + scale * direction
        gradient = np.exp(log_reference) @ answer_gradients(kl_k1, logits, log_reference)
        _, forward = divergence_gradients(logits, log_reference)
        gaps.append(float(np.max(np.abs(gradient + forward))))
        lengths.append(float(np.linalg.norm(gradient)))
    return {"scales": SCALES, "to_minus_forward": gaps, "length": lengths}


def measure_support() -> dict[str, Any]:
    """Let the policy never give an answer that the reference gives."""
    log_reference, direction = world(ANSWERS)
    policy = softmax(log_reference + direction)
    found: dict[str, Any] = {"missing": MISSING, "k1": [], "k3": []}
    for missing in MISSING:
        kept = log_reference + math.log1p(-missing)  # the reference on what the policy gives
        true = float(kl_divergence(np.append(policy, 0), np.append(np.exp(kept), missing)))
        for name in ("k1", "k3"):
            mean = float(policy @ ESTIMATORS[name](np.log(policy), kept))
            found[name].append(mean - true)
    return found


def measure_destinations(steps: int) -> dict[str, Any]:
    """Follow the gradients of reward less each estimator to their ends."""
    log_reference, _ = world(ANSWERS)
    reference = np.exp(log_reference)
    rewards = np.random.default_rng(SEED + 3).normal(size=ANSWERS)
    names = ("k1_in_reward", *ESTIMATORS)
    ends = {name: destination(name, rewards, log_reference, steps) for name in names}
    return {
        "beta": BETA,
        "steps": steps,
        "rate": RATE,
        "start": place(reference, reference, rewards),
        "gibbs": place(gibbs_policy(reference, rewards, beta=BETA), reference, rewards),
        "forward_best": place(forward_best(reference, rewards, BETA), reference, rewards),
        "largest_reward": float(rewards.max()),
        **ends,
    }


def measure(*, samples: int = SAMPLES, steps: int = STEPS) -> dict[str, Any]:
    """Measure values, gradients and where they lead.

    Parameters
    ----------
    samples : int
        Draws of each sampled number.
    steps : int
        Steps of ascent.

    Returns
    -------
    dict
        The fields described above.
    """
    return {
        "samples": samples,
        "gaussian": measure_gaussians(samples),
        "listed": measure_listed(samples),
        "stale": measure_stale(),
        "support": measure_support(),
        "destinations": measure_destinations(steps),
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command="python -m experiments.kl_gradients", seed=SEED)


if __name__ == "__main__":
    main()
