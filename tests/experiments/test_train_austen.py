"""The training experiment: a tiny one from start to end, killed on the way; what was stored."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import record, train_austen
from experiments.texts import NOVELS, austen
from primer_ref.checkpoints import save_checkpoint
from primer_ref.config import Config
from primer_ref.training import Recipe

TINY = Config(
    n_layers=1,
    width=16,
    n_heads=2,
    n_kv_heads=1,
    head_size=8,
    hidden=32,
    n_tokens=82,
    context=16,
)
RECIPE = Recipe(n_steps=20, batch=4, length=16, peak=0.01, warmup=4)


def run(folder: Path, **change: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"every": 5, "n_held_out": 500, "n_test": 1500} | change
    return train_austen.measure(TINY, RECIPE, folder=folder, **options)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("tiny"))


def test_bytes_are_numbered_as_by_the_tokenizer() -> None:
    numbers, text = train_austen.alphabet(), austen("mansfieldpark")
    tokenizer = train_austen.tokenizer(numbers)
    part = text[text.index("£") - 300 :][:600]
    encoded = train_austen.encode(part, numbers)
    assert tokenizer.encode(part) == encoded.tolist()
    assert tokenizer.decode(encoded.tolist()) == part
    for novel in NOVELS:
        assert np.all(train_austen.encode(austen(novel), numbers) >= 0)


def test_a_tiny_run_learns(tiny: dict[str, Any]) -> None:
    assert len(tiny["loss"]) == 20
    assert tiny["loss"][0] == pytest.approx(math.log2(82), abs=0.2)
    assert tiny["test"] < tiny["loss"][0] - 1
    assert np.mean(tiny["by_position"]) == pytest.approx(tiny["test"], abs=0.02)
    assert [sample["step"] for sample in tiny["samples"]] == [0, 1, 2, 4, 8, 12, 16, 20]


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(
    tmp_path: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, run: Any) -> Any:
        if run.moments.n_steps == 15:
            raise KeyboardInterrupt
        return save_checkpoint(path, run)

    with monkeypatch.context() as patch:
        patch.setattr("experiments.train_austen.save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    with (tmp_path / "train_austen.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"step": 16, "lo')
    again = run(tmp_path)
    timed = {"tokens_per_second": 0.0}
    assert record.plain(again | timed) == record.plain(tiny | timed)


def test_another_run_in_the_same_place_is_not_overwritten(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ValueError, match="another run is stored there"):
        train_austen.measure(TINY, replace(RECIPE, n_steps=21), folder=tmp_path)


def test_the_stored_run_is_whole() -> None:
    stored = record.load("train_austen")
    recipe = Recipe(**stored["recipe"])
    assert Config(**stored["config"]) == train_austen.CONFIG
    assert recipe == train_austen.RECIPE
    assert 1e6 < stored["parameters"] < 2e6
    assert bytes(stored["alphabet"]) == bytes(train_austen.alphabet())
    assert len(stored["loss"]) == len(stored["gradient_norm"]) == recipe.n_steps
    assert stored["tokens"] == recipe.n_steps * recipe.batch * recipe.length
    assert stored["train_bytes"] == sum(len(austen(n).encode()) for n in NOVELS[:-1]) + 2 * 4
    assert stored["test_bytes"] == len(austen(NOVELS[-1]).encode())
    assert stored["loss"][0] == pytest.approx(math.log2(82), abs=0.1)
    held_out = [look["loss"] for look in stored["held_out"]]
    assert held_out == sorted(held_out, reverse=True)
    assert stored["test"] == pytest.approx(held_out[-1], abs=0.1)
    assert np.mean(stored["by_position"]) == pytest.approx(stored["test"], abs=0.005)
