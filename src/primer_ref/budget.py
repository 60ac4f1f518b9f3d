"""What a decoder takes: parameters, operations, memory, time, energy and money on one page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from primer_ref.accounting import causal_forward_flops, prompt_flops, training_flops
from primer_ref.checks import check_positive_finite
from primer_ref.config import Config
from primer_ref.energy import Interval, energy_kwh, location_based_carbon
from primer_ref.memory import kv_cache_bytes, weight_bytes
from primer_ref.parameters import ParameterCount
from primer_ref.roofline import Device, roofline_seconds, training_seconds
from primer_ref.serving import cost_per_million_tokens
from primer_ref.zero import zero_bytes

__all__ = ["Plan", "budget"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model is to be trained and used for, and on what.

    Attributes
    ----------
    device : Device
        The processor, one of many alike.
    training_tokens : float
        Tokens to train on.
    pue : Interval
        Energy of the data center over that of its computers.
    grid : Interval
        Carbon of the electricity, in kg a kWh.
    n_devices : int
        How many train together.
    utilization : float
        Share of the peak rate that training reaches, in (0, 1].
    prompt : int
        Tokens of a prompt.
    batch : int
        Sequences that are answered together.
    bits : float
        Bits of a stored weight, block scales included.
    dollars_per_hour : float
        Price of an hour of a device.

    Raises
    ------
    ValueError
        If the tokens, the batch, the bits or the price are not positive and finite.
    """

    device: Device
    training_tokens: float
    pue: Interval
    grid: Interval
    n_devices: int = 1
    utilization: float = 0.4
    prompt: int = 1024
    batch: int = 1
    bits: float = 16.0
    dollars_per_hour: float = 2.0

    def __post_init__(self) -> None:
        for name in ("training_tokens", "batch", "bits", "dollars_per_hour"):
            check_positive_finite(getattr(self, name), name)


def budget(
    config: Config, parameters: ParameterCount, plan: Plan
) -> Mapping[str, Mapping[str, float | Interval]]:
    """Find what training and using a model takes.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    parameters : ParameterCount
        Its parameters.
    plan : Plan
        What it is for.

    Returns
    -------
    mapping of str to mapping
        Under ``parameters``, ``FLOP``, ``bytes``, ``sequences``, ``seconds``, ``kWh``, ``kg CO2``
        and ``dollars``: quantities by name, in the unit that the heading says.

    Raises
    ------
    ValueError
        If the prompt or the number of devices is not positive, the utilization is not in (0, 1], or
        the data center takes less energy than its computers.

    Notes
    -----
    Times are bounds from below for prompts and answers (no device beats its roofline) and an
    estimate for training, from the utilization. A prompt is charged for the scores of its last
    token only. Energy takes the device at its rated power. Keys and values are stored in 16 bits,
    whatever the weights are. Training takes 6N operations a token, N with all that is stored, as
    published counts do; a table that is only looked up is left out elsewhere.

    Examples
    --------
    >>> from primer_ref.budget import Plan, budget
    >>> from primer_ref.energy import Interval
    >>> from primer_ref.parameters import MODELS
    >>> from primer_ref.roofline import DEVICES
    >>> model = MODELS["smollm2-135m"]
    >>> plan = Plan(DEVICES["h100-sxm"], 2e12, pue=Interval(1.1, 1.2), grid=Interval(0.1, 0.4))
    >>> found = budget(model.config, model.parameters, plan)
    >>> found["parameters"]["total"], round(found["bytes"]["weights"] / 1e6)
    (134515008, 269)
    """
    device = plan.device
    read = prompt_flops(config, parameters, n_tokens=plan.prompt)
    step = causal_forward_flops(config, parameters, n_tokens=1, n_past=plan.prompt)
    trained = training_flops(parameters.total, plan.training_tokens)
    weights = weight_bytes(parameters, bits=plan.bits)
    cache = kv_cache_bytes(config, n_tokens=plan.prompt)
    longer = kv_cache_bytes(config, n_tokens=plan.prompt + 1)
    moved = (parameters.non_embedding + parameters.scores) * plan.bits / 8
    read_seconds = roofline_seconds(read, moved + cache, device)
    answer_seconds = roofline_seconds(plan.batch * step.total, moved + plan.batch * longer, device)
    train_seconds = training_seconds(
        trained, device, n_devices=plan.n_devices, utilization=plan.utilization
    )
    hours = plan.n_devices * train_seconds / 3600
    train_kwh = energy_kwh(hours, device.watts, pue=plan.pue)
    rate = plan.batch / answer_seconds
    answers_kwh = energy_kwh(1e6 / rate / 3600, device.watts, pue=plan.pue)
    return {
        "parameters": {
            "total": parameters.total,
            "without embeddings": parameters.non_embedding,
        },
        "FLOP": {
            "a prompt": read,
            "a new token": step.total,
            "training": trained,
        },
        "bytes": {
            "weights": weights,
            "keys and values of a sequence": cache,
            "training, each device": zero_bytes(parameters.total, plan.n_devices, stage=0),
            "training, all cut over devices": zero_bytes(parameters.total, plan.n_devices, stage=3),
        },
        "sequences": {
            "that fit on a device": max(0, math.floor((device.memory - weights) / cache)),
        },
        "seconds": {
            "a prompt, at least": read_seconds,
            "a step of decoding, at least": answer_seconds,
            "training": train_seconds,
        },
        "kWh": {"training": train_kwh, "a million new tokens": answers_kwh},
        "kg CO2": {
            "training": 1000 * location_based_carbon(train_kwh, plan.grid),
            "a million new tokens": 1000 * location_based_carbon(answers_kwh, plan.grid),
        },
        "dollars": {
            "training": hours * plan.dollars_per_hour,
            "a million new tokens": cost_per_million_tokens(plan.dollars_per_hour, rate),
        },
    }
