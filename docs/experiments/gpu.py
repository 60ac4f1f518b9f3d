"""Time and memory of work on an NVIDIA GPU: what the experiments ``gpu_…`` have in common.

They need such a device and PyTorch for it; ``nox -s gpu`` runs them.
"""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments import record

torch: Any = importlib.import_module("torch")

DEVICE = "cuda"


def describe() -> dict[str, str]:
    """Name what was measured."""
    return {
        "name": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }


def normal(*shape: int, kind: Any, scale: float = 1.0) -> Any:
    """Draw normal numbers: a device that multiplies zeros draws less power, and runs faster."""
    return torch.randn(shape, device=DEVICE, dtype=kind).mul_(scale)


def seconds(run: Callable[[], object], *, times: int = 20, warm: int = 5) -> float:
    """Return the median time of a run on the device, by its own clock."""
    for _ in range(warm):
        run()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(times + 1)]
    marks[0].record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    return float(statistics.median(a.elapsed_time(b) / 1e3 for a, b in pairwise(marks)))


def peak_bytes(run: Callable[[], object]) -> int:
    """Return by how much the memory in use rises at most during a run."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated() - before)


def save(name: str, result: dict[str, Any]) -> Path:
    """Store a measurement with the name of the device."""
    command = f"python -m experiments.{name}"
    return record.save(name, result, command=command, seed=0, accelerator=describe())
