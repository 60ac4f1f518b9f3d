"""What several tests share: the built book, and the real model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from build_versions import build_latest, version_data, write_root
from primer_ref import llama

# Sphinx colors its warnings where CI is set; the tests read them as plain text.
os.environ["NO_COLOR"] = "1"

# How long a case takes is no property of the code here: machines are shared.
settings.register_profile("quick", deadline=None)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def built_book() -> Path:
    """Build the book into a folder of the tests' own, which the next run builds upon."""
    site = ROOT / "build" / "tested" / "html"
    cache = site.parent / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    build_latest(ROOT, site, cache)
    write_root(site, version_data(site, []))
    return site


@pytest.fixture(scope="session")
def model() -> llama.Model:
    """Load the real model, once for all tests of a process."""
    return llama.load()
