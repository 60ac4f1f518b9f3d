"""Association tests on the real model's token embeddings, and what chance explains.

The word lists are those of tests 1, 2 and 6 to 8 of Caliskan, Bryson and Narayanan (2017). A word
is used if it is one token with a space before it; the lists are short for that (1 and 2 lose about
half of their targets), so the effects are not those of the paper's words. Each test is made on
the embeddings as they are (``plain``); with the mean of all ordinary tokens taken away, which all
vectors share (``centered``); and with the first principal directions taken away too, one for every
hundred columns (``stripped``). The embedding is also the model's output matrix.

Effect sizes are in standard deviations, positive where the first targets lean to the first
attributes. p-values are one-sided: the share of all partitions of the target words that differ as
much, estimated from random ones where there are over a hundred thousand; the adjusted ones are
Holm's over the tests of one version, or of all versions. Intervals (``value``, ``low``, ``high``)
are 95 % bootstraps over target words with the attribute words as they are. They say how far another
draw of such words might stray, not how far the model's use of the words is biased. Result::

    n_resamples, n_random
    n_directions    number of principal directions taken away
    mean_cosine     plain, centered, stripped: mean cosine of all pairs of ordinary tokens' vectors
    mean_share      squared norm of the mean vector over the mean squared norm
    direction_share share of the directions in the squared norm of the centered vectors
    tests           list:
        name, targets, attributes   names of the two lists each
        words           for x, y, a, b: the words used
        dropped         number of words of the four lists that are not single tokens
        partitions      number of partitions of the targets
        plain, centered, stripped
            effect      size, interval
            p, adjusted, adjusted_all
            null_high   effect size that 5 % of random partitions exceed
            x, y        association of each target word
            mean_cosine     of all pairs of the test's words
            rank        Pearson's correlation, over the target words, between the association and
                        the logarithm of the token's number, interval. The number is high for
                        tokens that were merged late because they are rare
    changed         for centered, stripped: number of tests whose adjusted p-values, in this version
                    and plain, lie on different sides of 0.05
    random          what pairs of random target lists give, with the attributes of each test and as
                    many words, drawn from whole words of small letters (``centered``): name; below,
                    share of p-values up to 0.05, Wilson interval; size, mean absolute effect size
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from primer_ref import llama
from primer_ref.bias import (
    association,
    weat_effect_size,
    weat_p_value,
    weat_p_value_sampled,
)
from primer_ref.embeddings import mean_cosine
from primer_ref.evaluation import holm
from primer_ref.intervals import bootstrap_interval, wilson_interval

NAME = "weat"
SEED = 130
MOST_PARTITIONS = 100_000
N_SAMPLES = 49_999
N_NULL = 2_000
WORD = re.compile("Ġ[a-z]{3,12}")  # Ġ is how vocabularies write a space
LISTS = {
    "flowers": "aster clover hyacinth marigold poppy azalea crocus iris orchid rose bluebell "
    "daffodil lilac pansy tulip buttercup daisy lily peony violet carnation gladiola magnolia "
    "petunia zinnia",
    "insects": "ant caterpillar flea locust spider bedbug centipede fly maggot tarantula bee "
    "cockroach gnat mosquito termite beetle cricket hornet moth wasp blackfly dragonfly horsefly "
    "roach weevil",
    "instruments": "bagpipe cello guitar lute trombone banjo clarinet harmonica mandolin trumpet "
    "bassoon drum harp oboe tuba bell fiddle harpsichord piano viola bongo flute horn saxophone "
    "violin",
    "weapons": "arrow club gun missile spear axe dagger harpoon pistol sword blade dynamite "
    "hatchet rifle tank bomb firearm knife shotgun teargas cannon grenade mace slingshot whip",
    "pleasant": "caress freedom health love peace cheer friend heaven loyal pleasure diamond "
    "gentle honest lucky rainbow diploma gift honor miracle sunrise family happy laughter paradise "
    "vacation",
    "unpleasant": "abuse crash filth murder sickness accident death grief poison stink assault "
    "disaster hatred pollute tragedy divorce jail poverty ugly cancer kill rotten vomit agony "
    "prison",
    "male names": "John Paul Mike Kevin Steve Greg Jeff Bill",
    "female names": "Amy Joan Lisa Sarah Diana Kate Ann Donna",
    "career": "executive management professional corporation salary office business career",
    "family": "home parents children family cousins marriage wedding relatives",
    "math": "math algebra geometry calculus equations computation numbers addition",
    "arts": "poetry art dance literature novel symphony drama sculpture",
    "male terms": "male man boy brother he him his son",
    "female terms": "female woman girl sister she her hers daughter",
    "science": "science technology physics chemistry Einstein NASA experiment astronomy",
    "other arts": "poetry art Shakespeare dance literature novel symphony drama",
    "male relatives": "brother father uncle grandfather son he his him",
    "female relatives": "sister mother aunt grandmother daughter she hers her",
}
TESTS = (
    ("flowers", "insects", "pleasant", "unpleasant"),
    ("instruments", "weapons", "pleasant", "unpleasant"),
    ("male names", "female names", "career", "family"),
    ("math", "arts", "male terms", "female terms"),
    ("science", "other arts", "male relatives", "female relatives"),
)

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Words:
    """The token numbers of the four lists of a test."""

    x: Ints
    y: Ints
    a: Ints
    b: Ints


def first_directions(vectors: Floats, count: int) -> Floats:
    """Orthonormal directions of the largest variance of centered vectors: shape (C, count)."""
    directions: Floats = np.linalg.eigh(vectors.T @ vectors).eigenvectors
    first: Floats = directions[:, -count:]
    return first


def single_tokens(model: llama.Model, words: str) -> Ints:
    """Numbers of the words that are one token after a space."""
    codes = [model.tokenizer.encode(f" {word}") for word in words.split()]
    return np.array([code[0] for code in codes if len(code) == 1])


def find_words(model: llama.Model, test: Sequence[str]) -> Words:
    """Read the lists of a test."""
    return Words(*(single_tokens(model, LISTS[name]) for name in test))


def p_value(x: Floats, y: Floats, a: Floats, b: Floats) -> float:
    """p-value of a test, from all partitions if there are few enough of them."""
    if math.comb(len(x) + len(y), len(x)) <= MOST_PARTITIONS:
        return weat_p_value(x, y, a, b)
    rng = np.random.default_rng(SEED)
    return weat_p_value_sampled(x, y, a, b, n_samples=N_SAMPLES, rng=rng)


def effect_interval(
    x: Floats, y: Floats, a: Floats, b: Floats, n_resamples: int
) -> dict[str, float]:
    """Effect size with the bootstrap over target words, each kept in its list."""
    targets, rng = np.concatenate([x, y]), np.random.default_rng(SEED)

    def effect(numbers: Floats) -> float:
        chosen = numbers.astype(int)
        first, second = targets[chosen[chosen < len(x)]], targets[chosen[chosen >= len(x)]]
        return weat_effect_size(first, second, a, b)

    numbers = np.arange(len(targets), dtype=np.float64)
    return asdict(bootstrap_interval(numbers, effect, rng=rng, n_resamples=n_resamples))


def rank_interval(numbers: Ints, associations: Floats, n_resamples: int) -> dict[str, float]:
    """Correlation of the words' associations with the logarithms of their token numbers."""
    rows, rng = np.stack([np.log(numbers), associations], axis=-1), np.random.default_rng(SEED)

    def correlation(drawn: Floats) -> float:
        return float(np.asarray(np.corrcoef(drawn.T))[0, 1])

    return asdict(bootstrap_interval(rows, correlation, rng=rng, n_resamples=n_resamples))


def null_effect(x: Floats, y: Floats, a: Floats, b: Floats) -> float:
    """Effect size that one random partition of the targets in twenty exceeds."""
    targets, rng = np.concatenate([x, y]), np.random.default_rng(SEED)
    sizes = []
    for _ in range(N_NULL):
        mixed = targets[rng.permutation(len(targets))]
        sizes.append(weat_effect_size(mixed[: len(x)], mixed[len(x) :], a, b))
    return float(np.quantile(sizes, 0.95))


def measure_test(vectors: Floats, words: Words, n_resamples: int) -> dict[str, Any]:
    """Make one test on one version of the embeddings."""
    x, y, a, b = (vectors[numbers] for numbers in (words.x, words.y, words.a, words.b))
    x_leans, y_leans = association(x, a, b), association(y, a, b)
    numbers, leans = np.concatenate([words.x, words.y]), np.concatenate([x_leans, y_leans])
    return {
        "effect": effect_interval(x, y, a, b, n_resamples),
        "p": p_value(x, y, a, b),
        "null_high": null_effect(x, y, a, b),
        "x": x_leans,
        "y": y_leans,
        "mean_cosine": mean_cosine(np.concatenate([x, y, a, b])),
        "rank": rank_interval(numbers, leans, n_resamples),
    }


def whole_words(model: llama.Model) -> Ints:
    """Tokens that are a space and three to twelve small letters."""
    found = [n for n, text in enumerate(model.tokenizer.tokens) if WORD.fullmatch(text)]
    return np.array(found)


def random_targets(
    vectors: Floats, words: Words, pool: Ints, n_random: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Make a test with random target words again and again."""
    a, b = vectors[words.a], vectors[words.b]
    n_x, n_y = len(words.x), len(words.y)
    p_values, sizes = [], []
    for _ in range(n_random):
        drawn = vectors[rng.choice(pool, n_x + n_y, replace=False)]
        x, y = drawn[:n_x], drawn[n_x:]
        p_values.append(weat_p_value_sampled(x, y, a, b, n_samples=199, rng=rng))
        sizes.append(abs(weat_effect_size(x, y, a, b)))
    below = int(np.sum(np.array(p_values) <= 0.05))
    return {"below": asdict(wilson_interval(below, n_random)), "size": np.mean(sizes)}


def adjust(tests: Sequence[dict[str, Any]], versions: Sequence[str]) -> list[dict[str, Any]]:
    """Correct the p-values for their number, in each version and in all."""
    p_values = np.array([[test[version]["p"] for version in versions] for test in tests])
    by_version = np.stack([holm(column) for column in p_values.T], axis=-1)
    over_all = holm(p_values.ravel()).reshape(p_values.shape)
    return [
        {
            **test,
            **{
                version: {**test[version], "adjusted": one[n], "adjusted_all": every[n]}
                for n, version in enumerate(versions)
            },
        }
        for test, one, every in zip(tests, by_version, over_all, strict=True)
    ]


def count_changes(tests: Sequence[dict[str, Any]], version: str) -> int:
    """Count the tests that a version decides otherwise than the plain one."""
    decided = [[test[name]["adjusted"] <= 0.05 for name in ("plain", version)] for test in tests]
    return sum(one != other for one, other in decided)


def read_words(model: llama.Model, words: Words) -> dict[str, list[str]]:
    """Spell the words of a test."""
    lists: Mapping[str, Ints] = {"x": words.x, "y": words.y, "a": words.a, "b": words.b}
    return {
        name: [model.tokenizer.decode([number]).strip() for number in numbers]
        for name, numbers in lists.items()
    }


def measure(*, n_resamples: int = 1000, n_random: int = 500) -> dict[str, Any]:
    """Make all tests.

    Parameters
    ----------
    n_resamples : int
        Number of bootstrap resamples.
    n_random : int
        Number of pairs of random target lists for each test.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    embedding = model.weights.embedding.astype(np.float64)
    ordinary = np.setdiff1d(np.arange(len(embedding)), list(model.tokenizer.specials.values()))
    mean = embedding[ordinary].mean(0)
    centered = embedding - mean
    directions = first_directions(centered[ordinary], embedding.shape[1] // 100)
    along = centered @ directions
    stripped = centered - along @ directions.T
    versions = {"plain": embedding, "centered": centered, "stripped": stripped}
    pool, rng = whole_words(model), np.random.default_rng(SEED)

    tests: list[dict[str, Any]] = []
    random = []
    for names in record.progress(TESTS, NAME):
        words = find_words(model, names)
        n_words = sum(len(LISTS[name].split()) for name in names)
        used = read_words(model, words)
        tests.append(
            {
                "name": f"{names[0]} and {names[1]}",
                "targets": names[:2],
                "attributes": names[2:],
                "words": used,
                "dropped": n_words - sum(len(one) for one in used.values()),
                "partitions": math.comb(len(words.x) + len(words.y), len(words.x)),
                **{
                    name: measure_test(vectors, words, n_resamples)
                    for name, vectors in versions.items()
                },
            }
        )
        found = random_targets(versions["centered"], words, pool, n_random, rng)
        random.append({"name": tests[-1]["name"], **found})
    tests = adjust(tests, list(versions))
    return {
        "n_resamples": n_resamples,
        "n_random": n_random,
        "n_directions": directions.shape[1],
        "mean_cosine": {name: mean_cosine(vectors[ordinary]) for name, vectors in versions.items()},
        "direction_share": np.sum(along[ordinary] ** 2) / np.sum(centered[ordinary] ** 2),
        "mean_share": mean @ mean / np.mean(np.sum(embedding[ordinary] ** 2, axis=1)),
        "tests": tests,
        "changed": {name: count_changes(tests, name) for name in ("centered", "stripped")},
        "random": random,
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.weat",
        seed=SEED,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
