"""Is the real model as often right about the next token as it is sure? Before and after a scaling.

*Passages* are of novels by Jane Austen and of modern prose written for this measurement, each
after the token ``start``. At every place the model's most probable token is its answer, the
probability of it the *confidence*; the answer is right if that token comes next. Passages with even
numbers are the *fit* half, on which a temperature and the conformal thresholds are found; all else
is judged on the other half. A *scaled* model is the same with its logits divided by the
temperature.

Tokens of a passage are not independent, so intervals (``value``, ``low``, ``high``, 95 %) are
bootstraps over passages, by quantiles. For calibration errors they are the value plus and minus
half the width between the quantiles: a resample repeats passages, which raises an error as chance
does, so that the quantiles lie too high. Result::

    start, length (tokens of an Austen passage), n_bins, n_resamples
    fit_every       the temperature is fitted on every so many tokens of the fit half, from the
                    first
    fit_tokens, judged_tokens       numbers of tokens in the two halves
    temperature     fitted          by maximum likelihood
                    curve           interval of the minimum of the mean loss of *all* tokens of the
                                    fit half, by a parabola through three temperatures
                    temperatures, fit_loss, judged_loss     the mean losses of the halves, nats
    passages        list: source ("austen", "modern"), half ("fit", "judged"), tokens, accuracy,
                    confidence (mean), loss (mean, nats); judged ones also confidence_scaled,
                    loss_scaled
    plain, scaled   on the judged half:
        accuracy, confidence, excess (confidence less accuracy), loss (nats), brier     intervals;
                    brier is of the answer alone, (confidence - right)^2, from 0 to 1
        design_effect   squared ratio of the clustered standard error of the excess to that of
                    independent tokens
        width, mass     bins of equal width, of equally many:
            counts, confidence, accuracy    of each bin that holds something
            low, high       Wilson's interval of the accuracy, as if tokens were independent
            error           expected calibration error, interval
            largest         largest gap
            expected        what the error is on average for a calibrated model with these bins, by
                            the formula
            simulated       the same by drawing right or wrong with the confidences as chances:
                            mean; high, the 95 % quantile
        square_error    square of the calibration error of order 2, bins of equally many
        debiased        the same without what chance adds; interval; it may be negative
        brier_parts     reliability, resolution, uncertainty of the confidences replaced by their
                        bins' means (equally many); binned, their sum; rest, brier less that;
                        unbinned_reliability, what the reliability is without bins: nearly all of
                        the Brier score, since nearly every confidence occurs once
    change          scaled less plain, paired: loss, brier, error (bins of equally many),
                    debiased; intervals
    by_source       for austen, modern: passages, tokens, accuracy, confidence, loss of the plain
                    model on the judged half
    by_bins         list: for numbers of bins of equally many, plain model: n_bins, error, simulated
                    (mean), square_error, debiased
    few_tokens      the plain model judged on random samples of its judged tokens: n, n_bins,
                    error (mean over samples), simulated (mean for calibrated outcomes)
    conformal       list, one entry a level: level; threshold, surprisal in nats, found on the fit
                    half; coverage, interval; size, mean number of tokens in a set, interval; median
                    and largest size; thirds, the coverage and mean size for the least, middle and
                    most confident third of the tokens; modern, coverage on modern prose
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.multiple_choice import design_effect
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.calibration import (
    Bins,
    brier_decomposition,
    brier_score,
    calibration_error,
    conformal_sets,
    conformal_threshold,
    debiased_square_error,
    equal_mass_bins,
    equal_width_bins,
    expected_error_if_calibrated,
    fit_temperature,
)
from primer_ref.functional import log_softmax
from primer_ref.intervals import (
    Estimate,
    bootstrap_interval,
    wilson_interval,
)

NAME = "reliability_diagram"
SEED = 111
N_BINS = 10
FIT_EVERY = 4
TEMPERATURES = (0.9, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3)
LEVELS = (0.8, 0.9, 0.95)
BIN_NUMBERS = (5, 10, 15, 30, 60, 120)
FEW = 200
MODERN = (
    "The repair shop on our street closes at six, but the owner never leaves before eight. She "
    "says the evening is when the phone stops ringing and the difficult machines finally get "
    "her full attention. Last week I brought her a coffee grinder that had been silent since "
    "Christmas. She opened it, blew out the dust, turned a small screw and handed it back "
    "without a bill. Next time, she said, clean it before you decide that it is broken.",
    "We moved the whole office to a smaller building in spring, and most of us expected to hate "
    "it. The kitchen is tiny, the lift is slow, and there is no room for a second printer. But "
    "people talk more than they used to. Problems that once took three emails are now solved on "
    "the way to the sink. I would not have believed it if the numbers had not shown that we "
    "finish our projects about a week earlier.",
    "If your bicycle makes a clicking sound once with every turn of the pedals, start with the "
    "cheapest explanation. Tighten the pedals, then check the bolts that hold the chain rings. "
    "Only when both are firm should you suspect the bearing inside the frame. Replacing it "
    "takes a special tool and about an hour, and many people replace it first, only to find "
    "that the sound is still there on the next ride.",
    "My grandfather kept a weather diary for forty years. Every morning he wrote down the "
    "temperature, the direction of the wind and one sentence about the sky. When he died we "
    "found twelve notebooks in a drawer, and my sister typed all of them into a table. The "
    "summers had become warmer, as we knew. What surprised us was the wind, which came from the "
    "west twice as often at the end as in the beginning.",
    "The library will be closed on Monday while a new heating system is installed. Books that "
    "are due on that day can be returned on Tuesday without a fee. The reading room on the "
    "second floor will open again on Wednesday, and the children's corner will move to the "
    "ground floor until the end of the month. We are sorry for the trouble and thank all "
    "visitors for their patience.",
    "Nobody had told the new goalkeeper that the match would be shown on television. He found "
    "out when a woman with a microphone asked him how he felt. He said he felt fine, which was "
    "true until that moment. In the first half he let two easy shots through his hands. In the "
    "second half he forgot about the cameras, stopped a penalty, and was carried off the field "
    "by people whose names he had not yet learned.",
)

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Rows = Floats | Ints  # numbers of passages


def predictions(logits: Floats, targets: Ints, temperature: float) -> dict[str, Floats]:
    """Confidence, rightness and loss of each prediction at a temperature."""
    log_p = log_softmax(logits.astype(np.float64), temperature=temperature)
    own = log_p[np.arange(len(targets)), targets]
    return {
        "confidence": np.exp(log_p.max(-1)),
        "right": (log_p.argmax(-1) == targets).astype(np.float64),
        "loss": -own,
    }


def measure_passage(
    model: llama.Model, tokens: Ints, temperature: float, thresholds: Sequence[float]
) -> dict[str, Any]:
    """Predict each token of a passage, plain and scaled, and build its conformal sets."""
    logits, targets = llama.forward(model, tokens[:-1].tolist()), tokens[1:]
    sets = [conformal_sets(logits, threshold) for threshold in thresholds]
    rows = np.arange(len(targets))
    return {
        "plain": predictions(logits, targets, 1.0),
        "scaled": predictions(logits, targets, temperature),
        "curve": [predictions(logits, targets, tau)["loss"].mean() for tau in TEMPERATURES],
        **{
            str(level): {"covered": inside[rows, targets], "size": inside.sum(-1)}
            for level, inside in zip(LEVELS, sets, strict=False)  # none before they are known
        },
    }


def fit(model: llama.Model, texts: Sequence[Ints], every: int) -> float:
    """Fit the temperature on every so many tokens of some passages."""
    logits, targets = [], []
    for tokens in texts:
        for block in llama.blocks(model, tokens[:-1].tolist()):
            hidden = block.hidden
        logits.append(llama.unembed(model, hidden[::every]))
        targets.append(tokens[1::every])
    return fit_temperature(np.concatenate(logits), np.concatenate(targets))


def curve_minimum(losses: Floats) -> float:
    """Temperature of the smallest loss, by a parabola in 1/temperature through three of them."""
    at = int(np.clip(np.argmin(losses), 1, len(losses) - 2))
    a, b, _ = np.polyfit(1 / np.array(TEMPERATURES[at - 1 : at + 2]), losses[at - 1 : at + 2], 2)
    return float(-2 * a / b)


@dataclass(frozen=True, slots=True)
class Sample:
    """Predictions of several passages, to be resampled by passage."""

    measured: Sequence[dict[str, Any]]
    resamples: int

    def column(self, which: str, field: str, rows: Rows | None = None) -> Floats:
        """All tokens' values of a field, of all passages or of the numbered ones."""
        numbers = range(len(self.measured)) if rows is None else rows.astype(int)
        return np.concatenate([np.asarray(self.measured[n][which][field]) for n in numbers])

    def interval(self, statistic: Callable[[Floats], float]) -> Estimate:
        """Bootstrap a statistic of passage numbers."""
        rng = np.random.default_rng(SEED)
        numbers = np.arange(len(self.measured), dtype=np.float64)
        return bootstrap_interval(numbers, statistic, rng=rng, n_resamples=self.resamples)

    def centered(self, statistic: Callable[[Floats], float]) -> Estimate:
        """Put the width of the bootstrap's interval around the value."""
        found = self.interval(statistic)
        half = (found.high - found.low) / 2
        return Estimate(found.value, found.value - half, found.value + half)

    def mean(self, which: str, field: str) -> Estimate:
        """Mean of a field over tokens."""
        return self.interval(lambda rows: float(self.column(which, field, rows).mean()))

    def pair(self, which: str, rows: Rows | None = None) -> tuple[Floats, Floats]:
        """Confidences and rightness."""
        return self.column(which, "confidence", rows), self.column(which, "right", rows)


def answer_brier(confidence: Floats, right: Floats) -> float:
    """Brier score of the answer alone, from 0 to 1."""
    both = np.stack([1 - confidence, confidence], axis=-1)
    return brier_score(both, right.astype(np.int64)) / 2


def brier_parts(confidence: Floats, right: Floats) -> dict[str, float]:
    """Split the Brier score of the answers after binning them."""
    bins = equal_mass_bins(confidence, right, n_bins=N_BINS)
    binned = np.empty_like(confidence)
    binned[np.argsort(confidence, kind="stable")] = np.repeat(bins.confidence, bins.counts)
    parts = asdict(brier_decomposition(binned, right))
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    return {
        **parts,
        "binned": total,
        "rest": answer_brier(confidence, right) - total,
        "unbinned_reliability": brier_decomposition(confidence, right).reliability,
    }


def simulate(confidence: Floats, gather: Callable[..., Bins], n_bins: int, n: int) -> Floats:
    """Calibration errors of outcomes drawn with the confidences as chances."""
    rng = np.random.default_rng(SEED)
    draws = (rng.random(len(confidence)) < confidence for _ in range(n))
    errors = [calibration_error(gather(confidence, y.astype(float), n_bins=n_bins)) for y in draws]
    return np.array(errors)


def diagram(sample: Sample, which: str, gather: Callable[..., Bins]) -> dict[str, Any]:
    """Gather the predictions in bins, and measure their gaps."""
    bins = gather(*sample.pair(which), n_bins=N_BINS)
    rights = np.rint(bins.accuracy * bins.counts).astype(int)
    bars = [wilson_interval(int(k), int(n)) for k, n in zip(rights, bins.counts, strict=True)]
    errors = simulate(sample.pair(which)[0], gather, N_BINS, sample.resamples)
    return {
        **asdict(bins),
        "low": [bar.low for bar in bars],
        "high": [bar.high for bar in bars],
        "error": asdict(
            sample.centered(
                lambda rows: calibration_error(gather(*sample.pair(which, rows), n_bins=N_BINS))
            )
        ),
        "largest": calibration_error(bins, order=np.inf),
        "expected": expected_error_if_calibrated(bins),
        "simulated": {"mean": errors.mean(), "high": np.quantile(errors, 0.95)},
    }


def equal_mass(sample: Sample, which: str, rows: Rows | None = None) -> Bins:
    """Bins of equally many tokens of all passages or of numbered ones."""
    return equal_mass_bins(*sample.pair(which, rows), n_bins=N_BINS)


def judge(sample: Sample, which: str) -> dict[str, Any]:
    """Measure the plain or the scaled model."""
    confidence, right = sample.pair(which)
    clusters = np.repeat(
        np.arange(len(sample.measured)), [len(one[which]["right"]) for one in sample.measured]
    )

    def excess(rows: Floats) -> float:
        c, y = sample.pair(which, rows)
        return float(np.mean(c - y))

    return {
        "accuracy": asdict(sample.mean(which, "right")),
        "confidence": asdict(sample.mean(which, "confidence")),
        "excess": asdict(sample.interval(excess)),
        "loss": asdict(sample.mean(which, "loss")),
        "brier": asdict(sample.interval(lambda rows: answer_brier(*sample.pair(which, rows)))),
        "design_effect": design_effect(confidence - right, clusters),
        "width": diagram(sample, which, equal_width_bins),
        "mass": diagram(sample, which, equal_mass_bins),
        "square_error": calibration_error(equal_mass(sample, which), order=2) ** 2,
        "debiased": asdict(
            sample.centered(lambda rows: debiased_square_error(equal_mass(sample, which, rows)))
        ),
        "brier_parts": brier_parts(confidence, right),
    }


def changes(sample: Sample) -> dict[str, Any]:
    """Scaled less plain, on the same passages."""

    def change(statistic: Callable[[str, Floats], float]) -> dict[str, float]:
        return asdict(sample.centered(lambda r: statistic("scaled", r) - statistic("plain", r)))

    return {
        "loss": change(lambda which, rows: float(sample.column(which, "loss", rows).mean())),
        "brier": change(lambda which, rows: answer_brier(*sample.pair(which, rows))),
        "error": change(lambda which, rows: calibration_error(equal_mass(sample, which, rows))),
        "debiased": change(
            lambda which, rows: debiased_square_error(equal_mass(sample, which, rows))
        ),
    }


def plain_means(sample: Sample, numbers: Ints) -> dict[str, Any]:
    """Means of the plain model over some of the passages, by number."""
    fields = {"accuracy": "right", "confidence": "confidence", "loss": "loss"}
    columns = {name: sample.column("plain", field, numbers) for name, field in fields.items()}
    sizes = {"passages": len(numbers), "tokens": len(columns["loss"])}
    return {**sizes, **{name: values.mean() for name, values in columns.items()}}


def with_more_bins(sample: Sample) -> list[dict[str, float]]:
    """Measure the plain model with more and more bins."""
    confidence, right = sample.pair("plain")
    rows = []
    for number in BIN_NUMBERS:
        if 2 * number > len(right):
            break
        bins = equal_mass_bins(confidence, right, n_bins=number)
        rows.append(
            {
                "n_bins": number,
                "error": calibration_error(bins),
                "simulated": simulate(confidence, equal_mass_bins, number, 100).mean(),
                "square_error": calibration_error(bins, order=2) ** 2,
                "debiased": debiased_square_error(bins),
            }
        )
    return rows


def with_few_tokens(sample: Sample, n: int) -> dict[str, float]:
    """Measure the plain model on small random samples of its predictions."""
    rng = np.random.default_rng(SEED)
    confidence, right = sample.pair("plain")
    errors, calibrated = [], []
    for _ in range(sample.resamples):
        drawn = rng.choice(len(confidence), n, replace=False)
        c, y = confidence[drawn], right[drawn]
        fair = (rng.random(n) < c).astype(float)
        errors.append(calibration_error(equal_mass_bins(c, y, n_bins=N_BINS)))
        calibrated.append(calibration_error(equal_mass_bins(c, fair, n_bins=N_BINS)))
    return {
        "n": n,
        "n_bins": N_BINS,
        "error": float(np.mean(errors)),
        "simulated": float(np.mean(calibrated)),
    }


def conformal(sample: Sample, modern: Ints, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """Coverage and size of the conformal sets; the modern passages' numbers are given."""
    order = np.argsort(sample.column("plain", "confidence"), kind="stable")
    rows = []
    for level, threshold in zip(LEVELS, thresholds, strict=True):
        covered, size = sample.column(str(level), "covered"), sample.column(str(level), "size")
        thirds = np.array_split(order, 3)
        rows.append(
            {
                "level": level,
                "threshold": threshold,
                "coverage": asdict(sample.mean(str(level), "covered")),
                "size": asdict(sample.mean(str(level), "size")),
                "median": np.median(size),
                "largest": size.max(),
                "thirds": [{"coverage": covered[t].mean(), "size": size[t].mean()} for t in thirds],
                "modern": sample.column(str(level), "covered", modern).mean(),
            }
        )
    return rows


def inputs(model: llama.Model, n_austen: int, n_modern: int, length: int) -> list[Ints]:
    """Draw the passages of the novels, and append the modern ones."""
    start = model.tokenizer.specials[START]
    modern = [np.array([start, *model.tokenizer.encode(text)]) for text in MODERN[:n_modern]]
    return passages(model, np.random.default_rng(SEED), n_austen, length) + modern


def summarize(source: str, half: str, one: dict[str, Any]) -> dict[str, Any]:
    """Means of one passage."""
    summary = {
        "source": source,
        "half": half,
        "tokens": len(one["plain"]["right"]),
        "accuracy": np.mean(one["plain"]["right"]),
        "confidence": np.mean(one["plain"]["confidence"]),
        "loss": np.mean(one["plain"]["loss"]),
    }
    if half == "judged":
        summary["confidence_scaled"] = np.mean(one["scaled"]["confidence"])
        summary["loss_scaled"] = np.mean(one["scaled"]["loss"])
    return summary


def measure(
    *, n_austen: int = 48, n_modern: int = 6, length: int = 128, resamples: int = 500
) -> dict[str, Any]:
    """Measure both halves.

    Parameters
    ----------
    n_austen, n_modern : int
        Numbers of passages, even.
    length : int
        Tokens of an Austen passage.
    resamples : int
        Number of bootstrap resamples and of simulations.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    texts = inputs(model, n_austen, n_modern, length)
    sources = ["austen"] * n_austen + ["modern"] * n_modern
    first, second = range(0, len(texts), 2), range(1, len(texts), 2)

    def passage(item: tuple[int, int, float, tuple[float, ...]]) -> dict[str, Any]:
        number, _, temperature, thresholds = item
        return measure_passage(model, texts[number], temperature, thresholds)

    fitted = record.parts(NAME, [(n, length, 1.0, ()) for n in first], passage)
    losses = np.concatenate([one["plain"]["loss"] for one in fitted])
    thresholds = tuple(conformal_threshold(losses, level=level) for level in LEVELS)
    item = f"temperature {n_austen} {n_modern} {length}"
    fit_texts = [texts[n] for n in first]
    tau = float(record.parts(NAME, [item], lambda _: fit(model, fit_texts, FIT_EVERY))[0])
    judged = record.parts(NAME, [(n, length, tau, thresholds) for n in second], passage)

    sample, fit_sample = Sample(judged, resamples), Sample(fitted, resamples)
    weights = np.array([len(one["plain"]["right"]) for one in fitted], dtype=np.float64)
    curves = np.array([one["curve"] for one in fitted])
    judged_weights = [len(one["plain"]["right"]) for one in judged]

    def minimum(rows: Floats) -> float:
        chosen = rows.astype(int)
        return curve_minimum(np.average(curves[chosen], axis=0, weights=weights[chosen]))

    summaries = [
        summarize(sources[n], half, one)
        for half, numbers, found in (("fit", first, fitted), ("judged", second, judged))
        for n, one in zip(numbers, found, strict=True)
    ]
    modern = np.flatnonzero([sources[n] == "modern" for n in second])
    austen = np.flatnonzero([sources[n] == "austen" for n in second])
    return {
        "start": START,
        "length": length,
        "n_bins": N_BINS,
        "n_resamples": resamples,
        "fit_every": FIT_EVERY,
        "fit_tokens": int(weights.sum()),
        "judged_tokens": sum(judged_weights),
        "temperature": {
            "fitted": tau,
            "curve": asdict(fit_sample.interval(minimum)),
            "temperatures": TEMPERATURES,
            "fit_loss": np.average(curves, axis=0, weights=weights),
            "judged_loss": np.average(
                [one["curve"] for one in judged], axis=0, weights=judged_weights
            ),
        },
        "passages": summaries,
        "plain": judge(sample, "plain"),
        "scaled": judge(sample, "scaled"),
        "change": changes(sample),
        "by_source": {
            "austen": plain_means(sample, austen),
            "modern": plain_means(sample, modern),
        },
        "by_bins": with_more_bins(sample),
        "few_tokens": with_few_tokens(sample, min(FEW, sum(judged_weights))),
        "conformal": conformal(sample, modern, thresholds),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.reliability_diagram",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
