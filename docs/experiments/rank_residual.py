"""How alike the tokens become, layer by layer, when parts of the network are taken away.

Measured on passages of ``length`` tokens from novels by Jane Austen, after ``<|endoftext|>`` at
position 0, in the real model (``trained``) and in one of the same sizes with weights freshly drawn
by ``primer_ref.transformer.initialize`` (``random``; another draw for each passage). Layer 0 is the
embedding, layer l the stream after l layers. Everything is computed in float64, whose rounding
leaves about 1e-15. What a part adds is computed from what the ablated network gives it: nothing is
trained again. Each part still norms its input.

Variants: ``whole``; ``no_feed_forward``; ``no_attention``; ``no_residual``, where each part's
output replaces the stream; ``attention_only``, neither residual connection nor feed-forward part;
``attention_unmasked``, the same without the causal mask; ``attention_bare``, the same with all
tokens at position 0 too, so that nothing tells equal tokens apart, as the theorem of Dong and
others supposes. Result::

    start, length, n_trained, n_random    the token at position 0; tokens after it; passages
    level             of all intervals, over passages; those of random cover the draw too
    floor, steps      residuals below the floor are taken for rounding; see factor
    trained, random: of each variant
        relative      norm of the stream without its mean over positions, over that of the stream,
                      both Frobenius: 0 if all tokens are alike, at most 1
        rest          the same without position 0, where some layers write huge numbers
        composite     as relative, with Dong's norm, the root of the largest column sum times
                      the largest row sum; can exceed 1
        of each: value, the geometric mean over passages, low and high; one number a layer from 0
        last          relative residual of each passage after the last layer
        below         first layer whose value of relative is below 0.01, or null
        order         of attention_bare: (log r'' - log r') / (log r' - log r) of the last three
                      layers whose residuals are above floor: 1 if the residual shrinks by a
                      constant factor, 3 if as its cube; mean, low, high over passages
        factor        of the variants without residual connection: by how much the residual
                      changes from layer to layer, geometric mean over the last steps layers
                      above floor and over passages; value, low, high; null if it passes the
                      floor in fewer layers
    first             relative residual by layer of the first passage, trained, of each variant
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import record
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.attention import causal_mask
from primer_ref.blocks import swiglu
from primer_ref.config import Config
from primer_ref.expressivity import composite_norm, rank_one_residual
from primer_ref.intervals import mean_interval
from primer_ref.norms import rms_norm
from primer_ref.positions import rotations
from primer_ref.transformer import Weights, attend, embed, feed_forward, initialize, project
from primer_ref.trees import tree_map

NAME = "rank_residual"
SEED = 6
LEVEL = 0.95
FLOOR = 1e-13
STEPS = 5
SMALL = 0.01
SCORES = ("relative", "rest", "composite")

Floats = NDArray[np.floating[Any]]
Item = tuple[str, int]


@dataclass(frozen=True)
class Variant:
    """Which parts are there."""

    attention: bool = True
    feed_forward: bool = True
    residual: bool = True
    masked: bool = True
    positions: bool = True


VARIANTS = {
    "whole": Variant(),
    "no_feed_forward": Variant(feed_forward=False),
    "no_attention": Variant(attention=False),
    "no_residual": Variant(residual=False),
    "attention_only": Variant(feed_forward=False, residual=False),
    "attention_unmasked": Variant(feed_forward=False, residual=False, masked=False),
    "attention_bare": Variant(feed_forward=False, residual=False, masked=False, positions=False),
}


def streams(
    config: Config, weights: Weights, tokens: ArrayLike, variant: Variant
) -> Iterator[Floats]:
    """Run a network without some of its parts: the stream (T, C) before and after each layer."""
    x: Floats = embed(config, weights, tokens).astype(np.float64)
    positions = np.arange(len(x)) if variant.positions else np.zeros(len(x))
    turns = rotations(positions, config.head_size, base=config.rope_base)
    mask = causal_mask(len(x)) if variant.masked else None
    yield x
    for single in weights.layers:
        layer = tree_map(lambda w: w.astype(np.float64), single)
        if variant.attention:
            kept = x if variant.residual else np.zeros_like(x)
            x, _ = attend(layer, kept, *project(config, layer, x, turns), mask=mask)
        if variant.feed_forward and variant.residual:
            x = feed_forward(config, layer, x)
        elif variant.feed_forward:
            normed = rms_norm(x, layer.hidden_norm, eps=config.eps)
            x = swiglu(normed, layer.gate_up, layer.down)
        yield x


def scores(x: Floats) -> list[float]:
    """Three relative residuals of a stream (T, C), in the order of ``SCORES``."""
    residual, rest = rank_one_residual(x), rank_one_residual(x[1:])
    return [
        float(np.linalg.norm(residual) / np.linalg.norm(x)),
        float(np.linalg.norm(rest) / np.linalg.norm(x[1:])),
        float(composite_norm(residual) / composite_norm(x)),
    ]


def above_floor(residuals: Floats) -> Floats:
    """Residuals (layers,) up to the first that may be rounding."""
    below = np.flatnonzero(residuals <= FLOOR)
    return residuals[: below[0]] if len(below) else residuals


def convergence_order(residuals: Floats) -> float:
    """Order at which residuals (layers,) fall, from the last three above the floor."""
    first, second, third = np.log(above_floor(residuals)[-3:])
    return float((third - second) / (second - first))


def log_factor(residuals: Floats) -> float:
    """Mean change of log residuals (layers,) a layer, at the end; NaN if they fall too fast."""
    seen = np.log(above_floor(residuals))
    return float(seen[-1] - seen[-1 - STEPS]) / STEPS if len(seen) > STEPS else math.nan


def measure_passage(
    model: llama.Model, item: Item, length: int, variants: tuple[str, ...]
) -> dict[str, list[list[float]]]:
    """Measure one passage: of each variant the scores (layers, 3)."""
    kind, number = item
    rng = np.random.default_rng([SEED, number])
    (tokens,) = passages(model, rng, 1, length)
    weights = model.weights if kind == "trained" else initialize(model.config, rng=rng)
    return {
        name: [scores(x) for x in streams(model.config, weights, tokens, VARIANTS[name])]
        for name in variants
    }


def interval(values: Floats) -> dict[str, float]:
    """Mean over passages with its interval."""
    return asdict(mean_interval(values, level=LEVEL))


def geometric(values: Floats) -> dict[str, list[float]]:
    """Geometric mean over passages with its interval; shape (passages, layers)."""
    columns = [interval(column) for column in np.log(values).T]
    return {end: [math.exp(column[end]) for column in columns] for end in columns[0]}


def summarize(name: str, values: Floats) -> dict[str, Any]:
    """Summarize the scores (passages, layers, 3) of one variant."""
    found: dict[str, Any] = {
        score: geometric(values[:, :, place]) for place, score in enumerate(SCORES)
    }
    relative = values[:, :, 0]
    small = np.flatnonzero(np.array(found["relative"]["value"]) < SMALL)
    found["last"] = relative[:, -1]
    found["below"] = int(small[0]) if len(small) else None
    if name == "attention_bare":
        found["order"] = interval(np.array([convergence_order(row) for row in relative]))
    if not VARIANTS[name].residual:
        logs = np.array([log_factor(row) for row in relative])
        slow = not np.any(np.isnan(logs))
        factor = {end: math.exp(log) for end, log in interval(logs).items()} if slow else None
        found["factor"] = factor
    return found


def measure(*, n_trained: int = 8, n_random: int = 5, length: int = 127) -> dict[str, Any]:
    """Measure all variants.

    Parameters
    ----------
    n_trained, n_random : int
        Number of passages through the real model, and through random weights; at least two.
    length : int
        Tokens of a passage after the start token.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    items = [("trained", number) for number in range(n_trained)]
    items += [("random", number) for number in range(n_random)]

    def measure_item(item: Item) -> dict[str, list[list[float]]]:
        return measure_passage(model, item, length, tuple(VARIANTS))

    parts = record.parts(NAME, items, measure_item)
    kinds = {"trained": parts[:n_trained], "random": parts[n_trained:]}
    return {
        "start": START,
        "length": length,
        "n_trained": n_trained,
        "n_random": n_random,
        "level": LEVEL,
        "floor": FLOOR,
        "steps": STEPS,
        **{
            kind: {
                name: summarize(name, np.array([part[name] for part in found])) for name in VARIANTS
            }
            for kind, found in kinds.items()
        },
        "first": {name: np.array(parts[0][name])[:, 0] for name in VARIANTS},
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.rank_residual",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
