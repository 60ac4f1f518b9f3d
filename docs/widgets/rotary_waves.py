"""A head's score as a sum of waves: how its pairs turn with the distance, at any base."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import record
from primer_ref.positions import rotary_frequencies
from primer_ref.spectra import Spectrum, rotary_spectrum, score_by_offset, wavelengths
from widgets import Choice, Range

SIZE, REACH, CONTEXT = 64, 512, 8192
HEADS = {
    "previous-token head": "most_local",
    "farthest reach": "least_local",
    "distance explains least": "least_explained",
}
ONES = "ones: q = k = (1, …, 1)"
CONTROLS = (
    Choice("head", "Head", (*HEADS, ONES), "previous-token head"),
    Range("offset", "Distance Δ", 0, REACH, 1, step=1),
    Range("base", "Base b", 100, 1e7, 1e5, log=True),
    Range("pair", "Pair i", 0, SIZE // 2 - 1, 0, step=1),
)


def data() -> dict[str, dict[str, list[float]]]:
    """Give sizes (nats) and phases (radians) of the mean query's and mean key's waves."""
    found = record.load("rotary_spectrum")["found"]
    ones = rotary_spectrum(np.ones(SIZE), np.ones(SIZE))
    spectra = {
        name: (found[key]["mean_amplitude"], found[key]["mean_phase"])
        for name, key in HEADS.items()
    } | {ONES: (ones.amplitudes / np.sqrt(SIZE), ones.phases)}
    return {
        name: {"sizes": np.round(sizes, 3).tolist(), "phases": np.round(phases, 3).tolist()}
        for name, (sizes, phases) in spectra.items()
    }


def compute(*, head: str, offset: int, base: float, pair: int) -> dict[str, Any]:
    """Compute the score at every distance, and what one pair adds at the present one."""
    waves = data()[head]
    spectrum = Spectrum(np.array(waves["sizes"]), np.array(waves["phases"]))
    theta = rotary_frequencies(SIZE, base=base)
    scores = score_by_offset(spectrum, theta, np.arange(REACH + 1))
    alone = Spectrum(spectrum.amplitudes[pair : pair + 1], spectrum.phases[pair : pair + 1])
    lengths = wavelengths(theta)
    return {
        "scores": scores.tolist(),
        "best": int(np.argmax(scores)),
        "part": float(score_by_offset(alone, theta[pair : pair + 1], [offset])[0]),
        "turns": float(offset / lengths[pair]),
        "wavelength": float(lengths[pair]),
        "slow": int(np.sum(lengths > CONTEXT)),
    }
