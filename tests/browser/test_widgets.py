"""Compare what the figures' scripts compute in Chromium with what ``primer_ref`` computes."""

import html
import importlib
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import widgets
from _extensions.widgets import bundle, tag

from .test_pages import dump

NAMES = sorted(path.stem for path in Path(widgets.__file__).parent.glob("[a-z]*.py"))


def drawn(control: widgets.Control, rng: np.random.Generator) -> Any:
    """Draw a setting of a control: an end, or anything between."""
    if isinstance(control, widgets.Switch):
        return bool(rng.random() < 0.5)
    if isinstance(control, widgets.Choice):
        return str(rng.choice(control.options))
    low, high = control.low, control.high
    value = rng.choice([low, high, rng.uniform(low, high), math.nan])
    if isinstance(control, widgets.Range) and math.isnan(value):
        value = control.value
    if isinstance(control, widgets.Range) and control.log and low < value < high:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    if isinstance(control, widgets.Range) and control.step:
        value = round(value / control.step) * control.step
        return int(value) if control.step == 1 else float(value)
    return float(control.value if math.isnan(value) else value)


def settings_of(name: str) -> list[dict[str, Any]]:
    """Give the settings that a figure starts with, and two hundred others."""
    controls = importlib.import_module(f"widgets.{name}").CONTROLS
    rng = np.random.default_rng(0)
    first = {control.name: control.value for control in controls}
    return [first] + [{c.name: drawn(c, rng) for c in controls} for _ in range(200)]


def same(mine: Any, theirs: Any, where: str) -> None:
    """Require the same structure, names and numbers, these to within rounding."""
    if isinstance(mine, dict):
        assert mine.keys() == theirs.keys(), where
        for key, value in mine.items():
            same(value, theirs[key], f"{where}.{key}")
    elif isinstance(mine, list):
        assert len(mine) == len(theirs), where
        for index, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            same(one, other, f"{where}[{index}]")
    elif isinstance(mine, float):
        assert theirs == pytest.approx(mine, rel=1e-9, abs=1e-12), where
    else:
        assert theirs == mine, where


@pytest.mark.parametrize("name", NAMES)
def test_script_computes_what_the_package_computes(name: str, tmp_path: Path) -> None:
    """Over the ends and the inside of all controls; every result can be said and drawn."""
    cases = settings_of(name)
    script = f"""
      const widget = document.querySelector("{tag(name)}");
      const results = {json.dumps(cases)}.map((settings) => widget.compute(settings));
      const plain = (key, x) => typeof x === "number" && !Number.isFinite(x) ? String(x) : x;
      document.querySelector("pre").textContent = JSON.stringify(results, plain);
      document.querySelector("input, select").dispatchEvent(new Event(
        document.querySelector("input, select").type === "number" ? "change" : "input"));
      document.querySelector("pre").id = widget.querySelector(".plot > *") ? "drawn" : "";
    """
    page = tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><figure id=f><{tag(name)} class=widget><img alt=''>"
        f"</{tag(name)}></figure><pre></pre><script>{bundle([name])}</script>"
        f"<script>{script}</script>",
        "utf-8",
    )
    shown = dump(page.as_uri(), tmp_path / "profile")
    found = re.search(r'<pre id="drawn">(.*?)</pre>', shown, re.DOTALL)
    assert found, "nothing was computed or drawn: " + re.sub(r"<script>.*?</script>", "", shown)
    compute = importlib.import_module(f"widgets.{name}").compute
    for settings, theirs in zip(cases, json.loads(html.unescape(found[1])), strict=True):
        same(plain(compute(**settings)), theirs, f"{name} at {settings}: result")


def plain(value: Any) -> Any:
    """Write numbers as JSON does: a float that is not finite as the script writes it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    return value
