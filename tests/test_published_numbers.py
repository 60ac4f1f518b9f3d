"""Numbers that others printed: each recomputes, or is known not to and why."""

import re

import numpy as np
import pytest

import published
from _extensions.published_numbers import VERDICTS, show
from experiments import makemore_bigrams, record
from published import chapter01

LIST = published.load()


@pytest.mark.parametrize("entry", LIST, ids=lambda entry: str(entry.id))
def test_it_recomputes_or_is_known_not_to(entry: published.Published) -> None:
    assert entry.agrees(published.recompute(entry.id)) == (entry.kind == "golden")


def test_list_and_computations_belong_together() -> None:
    names = [entry.id for entry in LIST]
    assert names == list(published.computations())
    for entry in LIST:
        assert entry.expected.keys() <= published.recompute(entry.id).keys()
        assert (entry.kind, entry.origin) in VERDICTS
        assert entry.id.startswith(f"ch{entry.chapter:02d}-")


# What we compute where the printed value is wrong: this, too, may not change unnoticed.
@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("ch01-shannon-zipf-1182", "bits per word", 9.13533721589),
        ("ch01-makemore-notebook-stale", "loss", 2.45457682012),
        ("ch02-gpt2-117M", "gpt2", 124.439808),
        ("ch02-gpt2-117M", "gpt2-xl", 1557.6112),
        ("ch02-gpt2m-lora-354.92", "millions", 354.823168),
        ("ch02-vaswani-params", "base", 63.082496),
        ("ch02-vaswani-params", "big", 214.245376),
        ("ch07-flash-gflops", "GFLOP", 824.633720832),
        ("ch07-lora-gpt2", "gpt2-medium", 0.393216),
        ("ch07-lora-gpt2", "gpt2-large", 0.73728),
        ("ch08-kaplan-alphaC", "exponent", 0.052452942934),
        ("ch08-chinchilla-A3-rounded", "4e+08", 14472299892.5),
        ("ch08-chinchilla-A3-rounded", "6.7e+10", 7263182674460.0),
        ("ch08-llama3-scaling-printed", "tokens", 10463652401100.0),
        ("ch09-llama3-table4-v1-erratum", "devices", 8192),
        ("ch09-llama3-faulty-gpu", "percent", 35.3221957041),
        ("ch11-mcnemar-exact-mlxtend", "p-value", 0.00634765625),
        ("ch14-hf-unigram-pug-error", "p, u, g", 0.00132167152575),
        ("ch14-hf-unigram-pug-error", "pu, g", 0.00770975056689),
    ],
)
def test_our_value_of_a_misprint(name: str, key: str, value: float) -> None:
    assert published.recompute(name)[key] == pytest.approx([value], rel=1e-9)


def test_every_misprint_has_its_value_here() -> None:
    misprints = {entry.id for entry in LIST if entry.kind != "golden"}
    mark = test_our_value_of_a_misprint.pytestmark[0]  # type: ignore[attr-defined]
    assert {name for name, _, _ in mark.args[1]} | {"ch09-recomputation-overhead"} == misprints


def test_the_printed_overhead_of_recomputation_is_the_share_of_what_is_recomputed() -> None:
    for name, n_tokens, width in (("GPT-3", 2048, 12_288), ("MT-NLG", 2048, 20_480)):
        ours = published.recompute("ch09-recomputation-overhead")[name][0]
        forward, whole = 4 * n_tokens * width, 3 * (24 * width**2 + 4 * n_tokens * width)
        assert ours == pytest.approx(100 * forward / whole)
    shares = [100 * 2048 / (6 * width + 2048) for width in (12_288, 20_480)]
    assert shares == pytest.approx([2.7, 1.6], abs=0.05)


def test_what_the_note_on_zipf_says() -> None:
    mass = np.cumsum(0.1 / np.arange(1, 20_000))
    assert mass[8727 - 1] == pytest.approx(0.965, abs=5e-4)
    assert np.searchsorted(mass, 1) + 1 == 12_367
    assert chapter01.zipf_words(12_367)["bits per word"] == pytest.approx(9.72, abs=5e-3)


def test_what_the_note_on_pug_says() -> None:
    ours = published.recompute("ch14-hf-unigram-pug-error")
    assert 5 / 17 * ours["p, u, g"][0] == pytest.approx(0.000389, abs=5e-7)
    assert 5 / 17 * ours["pu, g"][0] == pytest.approx(0.0022676, abs=5e-8)


def test_agreement_is_judged_by_the_tolerance() -> None:
    entry = next(entry for entry in LIST if entry.id == "ch01-shannon-f0")
    ours = {"26 letters": [4.70], "27 letters": [4.76 + 0.0059]}
    assert entry.agrees(ours)
    assert not entry.agrees(ours | {"27 letters": [4.76 + 0.0061]})
    with pytest.raises(ValueError, match="zip"):
        entry.agrees(ours | {"27 letters": [4.76, 4.76]})


def test_counts_of_makemore() -> None:
    stored = record.load("makemore_bigrams")
    counts = np.array(stored["counts"])
    assert counts.shape == (27, 27)
    assert counts.sum() == 228_146
    # Each name is left and reached once by the dot: first and last row sums count the names.
    assert counts[0].sum() == counts[:, 0].sum() == stored["names"] == 32_033
    np.testing.assert_array_equal(counts.sum(0), counts.sum(1))
    assert re.fullmatch(r"[0-9a-f]{64}", stored["source_sha256"])


def test_pairs_are_counted_within_names() -> None:
    counts = makemore_bigrams.measure("abba\nb\n")["counts"]
    seen = {(i, j): int(counts[i, j]) for i, j in np.argwhere(counts).tolist()}
    assert seen == {(0, 1): 1, (1, 2): 1, (2, 2): 1, (2, 1): 1, (1, 0): 1, (0, 2): 1, (2, 0): 1}


@pytest.mark.parametrize(
    ("value", "printed", "seen"),
    [
        (4.70044, "4.70", "4.7004"),
        (3.0855e-5, ".000031", "0.00003086"),
        (228146.0, "228146", "228146"),
        (2.4540144891548743, "2.4540144946949742", "2.4540144892"),
        (3.1415e23, "3.14E+23", "3.1415e+23"),
        (1e-4, "1.0e-4", "1.000e-04"),
    ],
)
def test_ours_is_shown_to_two_digits_more(value: float, printed: str, seen: str) -> None:
    assert show(value, printed) == seen
