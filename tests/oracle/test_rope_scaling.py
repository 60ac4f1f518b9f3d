"""Scaling rules against the table of rules in Hugging Face's transformers, which has float32."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from primer_ref.positions import rotary_frequencies
from primer_ref.rope_scaling import (
    dynamic_ntk,
    interpolate_positions,
    llama3_frequencies,
    yarn_attention_scale,
    yarn_frequencies,
)

from .conftest import Compare

transformers = pytest.importorskip("transformers")
pytest.importorskip("torch")
rules = pytest.importorskip("transformers.modeling_rope_utils").ROPE_INIT_FUNCTIONS


def theirs(rule: str, *, base: float, size: int, length: int | None = None, **given: Any) -> Any:
    config = transformers.LlamaConfig(
        head_dim=size,
        hidden_size=4 * size,
        num_attention_heads=4,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": rule, "rope_theta": base, **given},
    )
    return rules[rule](config, None, seq_len=length)


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("base", [10000.0, 500000.0])
@pytest.mark.parametrize("factor", [2.0, 10.0, 32.0])
def test_rules_agree_with_transformers(
    compare: Compare, size: int, base: float, factor: float
) -> None:
    theta = rotary_frequencies(size, base=base)
    setting: dict[str, Any] = {"base": base, "size": size, "factor": factor}

    def check(function: Any, rule: str, ours: ArrayLike, found: ArrayLike) -> None:
        # Relative differences: the frequencies span six orders of magnitude.
        ours, found = np.asarray(ours), np.asarray(found, np.float64)
        call = f"transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS[{rule!r}]"
        compare(function, call, ours / found, np.ones_like(found), 1e-6)

    linear, _ = theirs("linear", **setting)
    check(interpolate_positions, "linear", interpolate_positions(theta, factor=factor), linear)
    for length in (100, 2048, 5000, 16384):
        dynamic, _ = theirs("dynamic", **setting, length=length)
        ours = dynamic_ntk(theta, factor=factor, context=2048, length=length)
        check(dynamic_ntk, "dynamic", ours, dynamic)
    original: dict[str, Any] = {"original_max_position_embeddings": 2048}
    for fast, slow in ((32, 1), (16, 2)):
        yarn, scale = theirs("yarn", **setting, **original, beta_fast=fast, beta_slow=slow)
        ours = yarn_frequencies(theta, factor=factor, context=2048, fast=fast, slow=slow)
        check(yarn_frequencies, "yarn", ours, yarn)
        check(yarn_attention_scale, "yarn", yarn_attention_scale(factor), scale)
    ramp: dict[str, Any] = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    llama3, _ = theirs("llama3", **setting, **original, **ramp)
    ours = llama3_frequencies(theta, factor=factor, context=2048)
    check(llama3_frequencies, "llama3", ours, llama3)
