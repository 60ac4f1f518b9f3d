"""Checkpoints: nothing is lost, nothing strange is read, and a kill at any moment does no harm."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primer_ref.checkpoints import load_checkpoint, save_checkpoint
from primer_ref.config import Config
from primer_ref.formats import FormatError
from primer_ref.training import Recipe, Run, start, train
from primer_ref.trees import tree_leaves

CONFIG = Config(
    n_layers=2,
    width=16,
    n_heads=4,
    n_kv_heads=2,
    head_size=4,
    hidden=24,
    n_tokens=11,
    context=16,
    rope_base=1e5,
)
RECIPE = Recipe(n_steps=12, batch=2, length=12, peak=0.01, warmup=4)
TEXT = np.random.default_rng(9).integers(11, size=300)


def some_steps(run: Run, n: int) -> Run:
    return next(after for after, record in train(run, TEXT) if record.step == n)


def fresh() -> Run:
    return start(CONFIG, RECIPE, rng=np.random.default_rng(4))


def everything(run: Run) -> list[Any]:
    """All that a run carries, bit by bit."""
    trees = (run.weights, run.moments.mean, run.moments.square)
    arrays = [(leaf.dtype, leaf.shape, leaf.tobytes()) for t in trees for leaf in tree_leaves(t)]
    return [*arrays, run.config, run.recipe, run.moments.n_steps, run.rng.bit_generator.state]


def test_everything_comes_back(tmp_path: Path) -> None:
    run = some_steps(fresh(), 5)
    path = save_checkpoint(tmp_path / "run.npz", run)
    assert everything(load_checkpoint(path)) == everything(run)
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("at", [1, 6, 11])
def test_a_run_goes_on_as_if_it_had_never_stopped(tmp_path: Path, at: int) -> None:
    path = save_checkpoint(tmp_path / "run.npz", some_steps(fresh(), at))
    assert everything(some_steps(load_checkpoint(path), 12)) == everything(some_steps(fresh(), 12))


def test_double_precision_comes_back_too(tmp_path: Path) -> None:
    run = some_steps(fresh(), 2)
    norm = run.weights.norm.astype(np.float64) / 3
    run = replace(run, weights=replace(run.weights, norm=norm))
    path = save_checkpoint(tmp_path / "run.npz", run)
    assert everything(load_checkpoint(path)) == everything(run)


def test_a_failed_save_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_checkpoint(tmp_path / "run.npz", old := some_steps(fresh(), 2))

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save_checkpoint(path, some_steps(fresh(), 3))
    assert everything(load_checkpoint(path)) == everything(old)


# --- Damage ----------------------------------------------------------------------------------


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = save_checkpoint(tmp_path / "run.npz", fresh()).read_bytes()
    cut = tmp_path / "cut.npz"
    for size in [0, 1, 4, 100, *range(200, len(whole), len(whole) // 40), len(whole) - 1]:
        cut.write_bytes(whole[:size])
        with pytest.raises(FormatError, match=r"must be a? ?whole"):
            load_checkpoint(cut)


def test_a_flipped_bit_is_refused_or_does_not_matter(tmp_path: Path) -> None:
    run = fresh()
    whole = save_checkpoint(tmp_path / "run.npz", run).read_bytes()
    rng, damaged, refused = np.random.default_rng(0), tmp_path / "damaged.npz", 0
    places = [*range(0, 400, 7), *rng.integers(len(whole), size=100), *range(-400, 0, 7)]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(changed)
        try:
            loaded = load_checkpoint(damaged)
        except FormatError:
            refused += 1
        else:  # a date in the archive's directory, say
            assert everything(loaded) == everything(run)
    assert refused > len(places) / 2


def test_an_archive_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "run.npz", fresh())
    whole = path.read_bytes()
    for bit in range(32):  # of the place of the archive's directory, in its last 22 bytes
        changed = bytearray(whole)
        changed[len(whole) - 6 + bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(FormatError, match=r"must be a? ?whole"):
            load_checkpoint(path)


def test_a_compressed_archive_is_read_and_a_damaged_one_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "run.npz", fresh())
    with np.load(path) as stored:
        np.savez_compressed(path, **stored)
    assert everything(load_checkpoint(path)) == everything(fresh())
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("weights.norm.npy").header_offset
    start += 30 + sum(struct.unpack("<HH", whole[start + 26 : start + 30]))
    whole[start] |= 0b110  # a kind of block that there is not
    path.write_bytes(whole)
    with pytest.raises(FormatError, match=r"this one is not: .* invalid block type"):
        load_checkpoint(path)


def rewrite(path: Path, change: Any) -> None:
    """Write an archive again with its entries changed."""
    with np.load(path) as stored:
        entries = {name: stored[name] for name in stored.files}
    change(entries)
    np.savez(path, **entries)


def header_with(**change: Any) -> Any:
    def edit(entries: dict[str, Any]) -> None:
        header = json.loads(str(entries["header"])) | change
        entries["header"] = np.array(json.dumps(header))

    return edit


def entry_as(name: str, value: Any) -> Any:
    def edit(entries: dict[str, Any]) -> None:
        entries[name] = value

    return edit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (header_with(kind="a picture"), "of kind 'primer_ref checkpoint, version 1'; got 'a pic"),
        (header_with(config={"width": 3}), "missing .* required"),
        (header_with(config={}, n_steps="many"), "this one is not"),
        (header_with(rng={"bit_generator": "MT19937"}), "this one is not"),
        (lambda entries: entries.pop("header"), "header is not a file in the archive"),
        (lambda entries: entries.pop("mean.layers.1.down"), "mean.layers.1.down is not a file"),
        (entry_as("weights.norm", np.ones(3)), r"floats of shape \(16,\); got float64 of .*3"),
        (entry_as("square.norm", np.ones(16, int)), r"shape \(16,\); got int64 of shape \(16,\)"),
        (entry_as("header", np.array("{")), "this one is not"),
        (entry_as("header", np.array("[1]")), "this one is not"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    path = save_checkpoint(tmp_path / "run.npz", fresh())
    rewrite(path, change)
    with pytest.raises(FormatError, match=message):
        load_checkpoint(path)


def test_no_object_is_unpickled(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "run.npz", fresh())
    rewrite(path, entry_as("header", np.array([{"a": 1}], object)))
    with pytest.raises(FormatError, match="allow_pickle=False"):
        load_checkpoint(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    np.save(path.with_suffix(".npy"), np.ones(3))
    for content in (b"", b"text", path.with_suffix(".npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="must be a whole npz file"):
            load_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none.npz")


def test_another_generator_is_refused(tmp_path: Path) -> None:
    run = replace(fresh(), rng=np.random.Generator(np.random.MT19937(0)))
    with pytest.raises(ValueError, match="generator on PCG64; got MT19937"):
        save_checkpoint(tmp_path / "run.npz", run)
    assert not list(tmp_path.iterdir())


# --- Kills -----------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from primer_ref.checkpoints import load_checkpoint, save_checkpoint
from primer_ref.config import Config
from primer_ref.training import Recipe, start, train

path, text = Path(sys.argv[1]), np.arange(5000) ** 2 % 97
if path.exists():
    run = load_checkpoint(path)
else:
    config = Config(n_layers=2, width=64, n_heads=4, n_kv_heads=2, head_size=16, hidden=128,
                    n_tokens=97, context=16)
    recipe = Recipe(n_steps=int(sys.argv[2]), batch=2, length=8, peak=0.01, warmup=4)
    run = save_checkpoint(path, start(config, recipe, rng=np.random.default_rng(0)))
    run = load_checkpoint(path)
for run, record in train(run, text):
    print(record.step, flush=True)
    save_checkpoint(path, run)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill like that")
def test_a_run_killed_again_and_again_ends_with_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[1] / "src"),
        "OMP_NUM_THREADS": "1",
    }
    n_steps = 30

    def launch(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / name), str(n_steps)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)

    calm = launch("calm.npz")
    rng, kills, in_save, reached = np.random.default_rng(8), 0, 0, 0
    for _ in range(40):
        process = launch("killed.npz")
        assert process.stdout is not None
        for _ in range(int(rng.integers(1, 7))):
            process.stdout.readline()  # a step is done, and its save begins
        time.sleep(float(rng.uniform(0.0, 0.01)))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        in_save += (tmp_path / "killed.npz.partial").exists()
        before, reached = reached, load_checkpoint(tmp_path / "killed.npz").moments.n_steps
        assert before <= reached
        if reached == n_steps:
            break
    calm.communicate()
    assert calm.returncode == 0
    assert kills >= 3
    assert in_save >= 1
    killed, whole = (load_checkpoint(tmp_path / f"{name}.npz") for name in ("killed", "calm"))
    assert everything(killed) == everything(whole)
