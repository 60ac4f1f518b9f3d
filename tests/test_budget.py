"""The budget of a model: published sizes, identities between its rows, limits."""

from typing import Any

import pytest

from primer_ref.accounting import causal_forward_flops
from primer_ref.budget import Plan, budget
from primer_ref.energy import Interval
from primer_ref.parameters import MODELS
from primer_ref.roofline import DEVICES

MODEL = MODELS["llama3-8b"]
DEVICE = DEVICES["h100-sxm"]


def plan(**changes: object) -> Plan:
    settings: dict[str, object] = {
        "training_tokens": 15e12,
        "pue": Interval(1.0, 1.5),
        "grid": Interval(0.1, 0.5),
    }
    return Plan(DEVICE, **(settings | changes))  # type: ignore[arg-type]


def test_sizes_are_the_published_ones() -> None:
    found: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=1))
    assert found["parameters"]["total"] == 8_030_261_248
    assert found["bytes"]["weights"] == 2 * 8_030_261_248
    assert found["bytes"]["keys and values of a sequence"] == 131_072  # 2 · 32 · 8 · 128 · 2
    assert found["FLOP"]["training"] == pytest.approx(6 * 8_030_261_248 * 15e12)


def test_a_token_takes_two_operations_a_parameter_and_every_weight_once() -> None:
    found: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=1))
    used = MODEL.parameters.total - MODEL.parameters.token_embedding
    assert found["FLOP"]["a new token"] == pytest.approx(2 * used, rel=1e-3)
    step = found["seconds"]["a step of decoding, at least"]
    assert step == pytest.approx(2 * used / DEVICE.bandwidth, rel=1e-3)
    assert found["dollars"]["a million new tokens"] == pytest.approx(2.0 * 1e6 * step / 3600)


def test_energy_carbon_and_money_follow_from_hours() -> None:
    found: Any = budget(MODEL.config, MODEL.parameters, plan(n_devices=2048, utilization=0.5))
    hours = 2048 * found["seconds"]["training"] / 3600
    assert hours == pytest.approx(found["FLOP"]["training"] / (0.5 * DEVICE.flops) / 3600)
    kwh, kg = found["kWh"]["training"], found["kg CO2"]["training"]
    assert isinstance(kwh, Interval)
    assert isinstance(kg, Interval)
    low = hours * DEVICE.watts / 1000
    assert (kwh.low, kwh.high) == pytest.approx((low, 1.5 * low))
    assert (kg.low, kg.high) == pytest.approx((0.1 * low, 0.75 * low))
    assert found["dollars"]["training"] == pytest.approx(2 * hours)


def test_a_batch_shares_the_weights_and_quarter_weights_are_read_in_a_quarter_of_the_time() -> None:
    one: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=1))
    eight: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=1, batch=8))
    small: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=1, bits=4))
    step = "a step of decoding, at least"
    assert eight["seconds"][step] == pytest.approx(one["seconds"][step], rel=1e-3)
    assert eight["dollars"]["a million new tokens"] == pytest.approx(
        one["dollars"]["a million new tokens"] / 8, rel=1e-3
    )
    assert small["seconds"][step] == pytest.approx(one["seconds"][step] / 4, rel=1e-3)
    assert small["sequences"]["that fit on a device"] > one["sequences"]["that fit on a device"]


def test_reading_one_token_takes_no_longer_than_writing_one() -> None:
    for bits in (4, 16, 32):
        found: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=1, bits=bits))["seconds"]
        assert found["a prompt, at least"] <= found["a step of decoding, at least"]


def test_a_prompt_is_read_in_every_layer_and_its_last_token_scored() -> None:
    found: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=3000))
    scores = 2 * 4096 * 128_256
    whole = causal_forward_flops(MODEL.config, MODEL.parameters, n_tokens=3000).total
    assert found["FLOP"]["a prompt"] == whole - 2999 * scores
    seconds = found["seconds"]["a prompt, at least"]
    assert seconds == found["FLOP"]["a prompt"] / DEVICE.flops


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_caches_have_16_bits_whatever_the_weights_have(bits: int) -> None:
    found: Any = budget(MODEL.config, MODEL.parameters, plan(prompt=2048, batch=64, bits=bits))
    a_token = 2 * 2 * 32 * 8 * 128  # bytes: 2 LKD numbers of two
    used = MODEL.parameters.total - MODEL.parameters.token_embedding
    step = found["seconds"]["a step of decoding, at least"]
    moved = used * bits / 8 + 64 * 2049 * a_token
    assert step == pytest.approx(moved / DEVICE.bandwidth, rel=1e-12)
    fit = found["sequences"]["that fit on a device"]
    left = DEVICE.memory - found["bytes"]["weights"]
    assert fit * 2048 * a_token <= left < (fit + 1) * 2048 * a_token
    large = MODELS["llama3-70b"]
    found = budget(large.config, large.parameters, plan(bits=2 * bits))  # 70 GB and more
    assert (found["sequences"]["that fit on a device"] > 0) == (bits == 4)


def test_a_batch_has_a_sequence() -> None:
    with pytest.raises(ValueError, match="batch must be positive and finite; got 0"):
        plan(batch=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": 0}, "n_tokens must be positive; got 0"),
        ({"n_devices": 0}, "n_devices must be positive; got 0"),
        ({"utilization": 0}, "utilization must be positive; got 0"),
        ({"utilization": 1.5}, "utilization must be a share of the peak; got 1.5"),
        ({"pue": Interval(0.9, 1.5)}, "pue must be at least 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        budget(MODEL.config, MODEL.parameters, plan(**change))
