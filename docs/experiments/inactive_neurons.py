"""Which units of the feed-forward parts do nothing, and how few of them do most.

A unit of this model is a gate g and an entry u; it puts out the product silu(g) u, which its row of
the matrix ``down`` writes into the stream. SiLU is 0 at g = 0 alone and between -0.279 and 0 for
all negative g, so no unit is inactive in the sense of a rectified one, and three weaker senses are
counted. At a token, a unit is *negative* if g < 0; *closed* at a threshold if abs(silu(g)) is no
larger; *small* at a threshold if abs(product) is no larger than the threshold times the root mean
square of the products of its layer. Over all tokens it is *never positive*, *never open*, *never
large* if it is so at every one of them.

Measured on ``n`` passages of ``length`` tokens from novels by Jane Austen, each after
``<|endoftext|>``, in the real model (``trained``) and in one draw of
``primer_ref.transformer.initialize`` of the same sizes (``random``). The start token, position 0,
is in no statistic but ``first_largest``. A list over layers counts from 0. Result::

    start, n, length, level     the token at position 0; passages; tokens after it; of all intervals
    closed_thresholds, small_thresholds, quantiles, top    see below; top is a share of the units
    trained, random: by layer
        rms                     root mean square of the products
        negative                share of pairs of a token and a unit with a negative gate
        closed, small           share of such pairs; one list a threshold
        never_positive          share of units
        never_open, never_large share of units; one list a threshold
        product_quantiles       quantiles of abs(product) / rms over pairs; one list a quantile
        effective               of each token the number of units that share the energy evenly,
                                (sum e)^2 / sum e^2, e being the squared norm of what a unit writes;
                                mean over tokens: value, low, high over passages
        top_energy              share of the sum of e that the top units have, chosen anew for
                                each token as those with the largest e: value, low, high
        explained               1 - (squared error / squared norm) if these units alone write:
                                value, low, high
        explained_by_passage    one list a passage
        largest, first_largest  largest abs(product), after and at the start token
    trained, random: over all layers
        by_tokens               tokens: of the first passages, growing; shares of all units that are
                                never_positive, never_open and never_large there, the last two at
                                their largest thresholds
    elsewhere: units of the real model on texts of other kinds
        texts                   name and tokens of each
        asleep                  number of units that are never positive in the novels
        woken                   how many of those have a positive gate in some of these texts
        woken_by_text           the same of each text
        control_tokens, control_woken   the same of other passages of the novels, for comparison
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import record
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.activations import silu
from primer_ref.attention import causal_mask
from primer_ref.config import Config
from primer_ref.intervals import mean_interval
from primer_ref.norms import rms_norm
from primer_ref.positions import rotations
from primer_ref.transformer import Layer, Weights, attend, embed, initialize, project

NAME = "inactive_neurons"
SEED = 7
LEVEL = 0.95
CLOSED = (0.01, 0.1, 0.3)  # the last is above 0.279: every negative gate is closed there
SMALL = (0.01, 0.1, 1.0, 3.0)
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
TOP = 0.1
TEXTS = {
    "letter": (
        "Hi Sam, the parcel came this morning, but the blue cable is missing. Could you check "
        "whether it is still on your desk? If not, I will order another one tomorrow. Also, the "
        "landlord called about the heating again; he wants to come on Thursday at nine."
    ),
    "code": (
        "def mean(values):\n    total = 0.0\n    for value in values:\n        total += value\n"
        "    return total / len(values)\n\n\nclass Stack:\n    def __init__(self):\n"
        "        self.items = []\n\n    def push(self, item):\n        self.items.append(item)\n"
    ),
    "arithmetic": (
        "3 + 4 = 7\n12 + 9 = 21\n45 - 17 = 28\n6 * 8 = 48\n100 / 4 = 25\n7 * 7 = 49\n"
        "81 - 36 = 45\n15 + 16 = 31\n9 * 11 = 99\n144 / 12 = 12\n"
    ),
    "science": (
        "Water boils at 100 degrees Celsius at sea level, and at about 71 degrees on the top of "
        "Mount Everest, because the air pressure is lower there. Plants use sunlight, carbon "
        "dioxide and water to make sugar, and they release oxygen as a by-product."
    ),
    "french": (
        "Le matin, je prends le train de sept heures et je lis le journal. Il y a souvent du "
        "brouillard sur la rivière, et les enfants attendent le bus devant la boulangerie."
    ),
    "list": (
        "# Packing list\n\n- passport\n- phone charger\n- two pairs of socks\n- toothbrush\n"
        "- umbrella\n\n## Before you leave\n\n1. Turn off the lights.\n2. Water the plants.\n"
        "3. Lock the door.\n"
    ),
}

Floats = NDArray[np.floating[Any]]


def activations(
    config: Config, weights: Weights, tokens: ArrayLike
) -> Iterator[tuple[Layer, Floats, Floats]]:
    """Run a network on tokens (..., T): each layer, its gates and its products (..., T, F)."""
    x = embed(config, weights, tokens)
    n = x.shape[-2]
    turns = rotations(np.arange(n), config.head_size, base=config.rope_base).astype(np.complex64)
    mask = causal_mask(n)
    for layer in weights.layers:
        x, _ = attend(layer, x, *project(config, layer, x, turns), mask=mask)
        hidden = rms_norm(x, layer.hidden_norm, eps=config.eps) @ layer.gate_up
        gates, entries = hidden[..., : config.hidden], hidden[..., config.hidden :]
        products = silu(gates) * entries
        yield layer, gates, products
        x = x + products @ layer.down


def concentration(products: Floats, down: Floats) -> dict[str, Floats]:
    """Measure how few units do most: one number a token; products (..., T, F), down (F, C)."""
    energy = products.astype(np.float64) ** 2 * np.sum(down.astype(np.float64) ** 2, axis=1)
    n_top = round(TOP * len(down))
    total = energy.sum(-1)
    order = np.argpartition(energy, -n_top, axis=-1)[..., -n_top:]
    chosen = np.zeros_like(products)
    np.put_along_axis(chosen, order, np.take_along_axis(products, order, axis=-1), axis=-1)
    written = (products @ down).astype(np.float64)
    error = written - chosen @ down
    return {
        "effective": total**2 / np.sum(energy**2, axis=-1),
        "top_energy": np.take_along_axis(energy, order, axis=-1).sum(-1) / total,
        "explained": 1 - np.sum(error**2, axis=-1) / np.sum(written**2, axis=-1),
    }


def counts(gates: Floats, products: Floats) -> dict[str, Any]:
    """Count what is inactive in one layer, over all tokens; gates and products (tokens, F)."""
    rms = float(np.sqrt(np.mean(products.astype(np.float64) ** 2)))
    openings, sizes = np.abs(silu(gates)), np.abs(products) / rms
    return {
        "rms": rms,
        "negative": np.mean(gates < 0),
        "closed": [np.mean(openings <= threshold) for threshold in CLOSED],
        "small": [np.mean(sizes <= threshold) for threshold in SMALL],
        "never_positive": np.mean(gates.max(0) < 0),
        "never_open": [np.mean(openings.max(0) <= threshold) for threshold in CLOSED],
        "never_large": [np.mean(sizes.max(0) <= threshold) for threshold in SMALL],
        "product_quantiles": np.quantile(sizes, QUANTILES),
        "largest": sizes.max() * rms,
    }


def never_by_tokens(gates: Floats, products: Floats, ends: list[int]) -> Floats:
    """Share of units without activity among the first passages: shape (3, ends)."""
    rms = np.sqrt(np.mean(products.astype(np.float64) ** 2))
    columns = []
    for end in ends:
        gate, product = gates[:end], np.abs(products[:end])
        columns.append(
            [
                np.mean(gate.max((0, 1)) < 0),
                np.mean(np.abs(silu(gate)).max((0, 1)) <= CLOSED[-1]),
                np.mean(product.max((0, 1)) <= SMALL[-1] * rms),
            ]
        )
    return np.array(columns).T


def growing(n: int) -> list[int]:
    """Numbers of passages 1, 2, 4, ... and n."""
    return sorted({2**power for power in range(n.bit_length())} | {n})


def measure_network(model: llama.Model, kind: str, n: int, length: int) -> dict[str, Any]:
    """Measure all layers of the real model or of a random one."""
    rng = np.random.default_rng(SEED)
    tokens = np.stack(passages(model, rng, n, length))
    weights = model.weights if kind == "trained" else initialize(model.config, rng=rng)
    layers: list[dict[str, Any]] = []
    shares, asleep = [], []
    for layer, gates, products in activations(model.config, weights, tokens):
        later = gates[:, 1:], products[:, 1:]  # (n, length, F)
        found = counts(later[0].reshape(-1, gates.shape[-1]), later[1].reshape(-1, gates.shape[-1]))
        by_passage = {
            name: values.mean(-1) for name, values in concentration(later[1], layer.down).items()
        }
        for name, values in by_passage.items():
            found[name] = asdict(mean_interval(values, level=LEVEL))
        found["explained_by_passage"] = by_passage["explained"]
        found["first_largest"] = np.abs(products[:, 0]).max()
        layers.append(found)
        shares.append(never_by_tokens(*later, growing(n)))
        asleep.append(np.flatnonzero(later[0].max((0, 1)) < 0))
    names = ("never_positive", "never_open", "never_large")
    return {
        **{name: by_layer([layer[name] for layer in layers]) for name in layers[0]},
        "by_tokens": {
            "tokens": [count * length for count in growing(n)],
            **dict(zip(names, np.mean(shares, axis=0), strict=True)),
        },
        "asleep": asleep,
    }


def by_layer(values: list[Any]) -> Any:
    """Bring the layers to the last axis: numbers, lists, or mappings of numbers."""
    if isinstance(values[0], dict):
        return {key: [value[key] for value in values] for key in values[0]}
    return np.array(values).T


def elsewhere(model: llama.Model, asleep: list[list[int]]) -> dict[str, Any]:
    """See which units without a positive gate in the novels have one in other texts."""
    start = model.tokenizer.specials[START]
    texts = [np.array([start, *model.tokenizer.encode(text)]) for text in TEXTS.values()]
    mean = sum(map(len, texts)) // len(texts)
    others = passages(model, np.random.default_rng(SEED + 1), len(texts), mean)

    def awake(tokens: ArrayLike) -> NDArray[np.bool_]:
        layers = activations(model.config, model.weights, tokens)
        return np.concatenate(
            [
                gates[1:, np.array(units, int)].max(0) > 0
                for (_, gates, _), units in zip(layers, asleep, strict=True)
            ]
        )

    woken, control = np.array([awake(text) for text in texts]), [awake(text) for text in others]
    return {
        "texts": [
            {"name": name, "tokens": len(text) - 1} for name, text in zip(TEXTS, texts, strict=True)
        ],
        "asleep": sum(map(len, asleep)),
        "woken": np.any(woken, axis=0).sum(),
        "woken_by_text": woken.sum(1),
        "control_tokens": mean * len(others),
        "control_woken": np.any(control, axis=0).sum(),
    }


def measure(*, n: int = 24, length: int = 255) -> dict[str, Any]:
    """Measure both networks.

    Parameters
    ----------
    n : int
        Number of passages, at least two.
    length : int
        Tokens of a passage after the start token.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()

    def measure_kind(kind: str) -> dict[str, Any]:
        return measure_network(model, kind, n, length)

    trained, random = record.parts(NAME, ["trained", "random"], measure_kind)
    asleep = trained.pop("asleep")
    del random["asleep"]
    return {
        "start": START,
        "n": n,
        "length": length,
        "level": LEVEL,
        "closed_thresholds": CLOSED,
        "small_thresholds": SMALL,
        "quantiles": QUANTILES,
        "top": TOP,
        "trained": trained,
        "random": random,
        "elsewhere": elsewhere(model, asleep),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.inactive_neurons",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
