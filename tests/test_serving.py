"""Serving: who waits for what, what fits, and a queue by simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.accounting import causal_forward_flops
from primer_ref.memory import forward_bytes, kv_cache_bytes, weight_bytes
from primer_ref.parameters import MODELS
from primer_ref.roofline import DEVICES, ridge_point
from primer_ref.serving import (
    cost_per_million_tokens,
    decode_crossover,
    decode_intensity,
    decode_seconds,
    largest_batch,
    littles_law,
    prefill_intensity,
    request_seconds,
)

LLAMA, H100 = MODELS["llama3-8b"], DEVICES["h100-sxm"]
MODEL = (LLAMA.config, LLAMA.parameters)


@pytest.mark.equation("eq-decode-intensity")
@pytest.mark.equation("eq-arithmetic-intensity")
def test_intensities_are_operations_over_bytes() -> None:
    flops = causal_forward_flops(*MODEL, n_tokens=100).total
    moved = forward_bytes(*MODEL, n_tokens=100, bytes_per_number=1)
    assert prefill_intensity(*MODEL, n_tokens=100, bytes_per_number=1) == flops / moved
    # Three sequences of seven tokens: three times the work, weights read once.
    flops = 3 * causal_forward_flops(*MODEL, n_tokens=1, n_past=7).total
    weights = 2 * (LLAMA.parameters.total - LLAMA.parameters.token_embedding)
    moved = weights + 3 * kv_cache_bytes(LLAMA.config, n_tokens=8)
    assert decode_intensity(*MODEL, n_past=7, batch=3) == pytest.approx(flops / moved, rel=1e-15)


def test_prefill_waits_for_the_processor_and_decoding_for_memory() -> None:
    for device in DEVICES.values():
        assert prefill_intensity(*MODEL, n_tokens=2048) > ridge_point(device)
        assert decode_intensity(*MODEL, n_past=2048) < ridge_point(device) / 100


@pytest.mark.equation("eq-decode-intensity")
def test_intensity_of_decoding_saturates_at_that_of_its_cache() -> None:
    flops = causal_forward_flops(*MODEL, n_tokens=1, n_past=999).total
    ceiling = flops / kv_cache_bytes(LLAMA.config, n_tokens=1000)
    at = [decode_intensity(*MODEL, n_past=999, batch=b) for b in (1, 100, 10**4, 10**9)]
    assert at == sorted(at)
    assert at[-1] < ceiling
    assert at[-1] == pytest.approx(ceiling, rel=1e-6)


@pytest.mark.equation("eq-decode-crossover")
@given(st.integers(0, 300), st.sampled_from(list(DEVICES)), st.sampled_from([1, 2, 4]))
def test_at_the_crossover_a_step_meets_the_ridge(n_past: int, name: str, size: int) -> None:
    ridge = ridge_point(DEVICES[name])

    def intensity(batch: int) -> float:
        return decode_intensity(*MODEL, n_past=n_past, batch=batch, bytes_per_number=size)

    batch = decode_crossover(*MODEL, DEVICES[name], n_past=n_past, bytes_per_number=size)
    if math.isinf(batch):
        assert intensity(10**12) < ridge
        return
    assert intensity(math.floor(batch)) <= ridge * (1 + 1e-9)
    assert intensity(math.ceil(batch + 1e-9)) >= ridge * (1 - 1e-9)


def test_without_a_past_the_crossover_is_half_the_ridge_a_byte() -> None:
    for b in (1, 2, 4):
        batch = decode_crossover(*MODEL, H100, n_past=0, bytes_per_number=b)
        assert batch == pytest.approx(ridge_point(H100) * b / 2, rel=0.01)


def test_a_step_alone_reads_the_model() -> None:
    moved = forward_bytes(*MODEL, n_tokens=1, n_past=10)
    assert decode_seconds(*MODEL, H100, n_past=10) == moved / H100.bandwidth
    many = decode_seconds(*MODEL, H100, n_past=10, batch=10_000)
    flops = 10_000 * causal_forward_flops(*MODEL, n_tokens=1, n_past=10).total
    assert many == flops / H100.flops


@pytest.mark.equation("eq-largest-batch")
def test_the_largest_batch_fits_and_one_more_does_not() -> None:
    for b in (1, 2):
        n = largest_batch(*MODEL, H100, n_tokens=3000, bytes_per_number=b)
        cache = kv_cache_bytes(LLAMA.config, n_tokens=3000, bytes_per_number=b)
        weights = weight_bytes(LLAMA.parameters, bits=8 * b)
        assert weights + n * cache <= H100.memory < weights + (n + 1) * cache
    assert largest_batch(*MODEL, replace(H100, memory=1e9), n_tokens=1) == 0


@pytest.mark.equation("eq-little")
def test_littles_law_in_a_simulated_queue() -> None:
    # One server, random arrivals and times. Over a period in which all that come also leave, the
    # law is exact, whatever the order of service.
    rng = np.random.default_rng(0)
    arrive = np.cumsum(rng.exponential(1.0, 500))
    leave = np.zeros(500)
    for i, service in enumerate(rng.exponential(0.8, 500)):
        leave[i] = max(arrive[i], leave[i - 1] if i else 0) + service
    end = leave[-1]
    times = np.sort(np.concatenate([arrive, leave]))
    inside = [np.sum(arrive <= t) - np.sum(leave <= t) for t in times[:-1]]
    mean_inside = float(np.sum(inside * np.diff(times))) / end
    law = littles_law(500 / end, float(np.mean(leave - arrive)))
    assert mean_inside == pytest.approx(law, rel=1e-12)


@pytest.mark.equation("eq-request-seconds")
def test_a_request_is_its_prompt_and_its_steps() -> None:
    first, rest = request_seconds(*MODEL, H100, n_prompt=50, n_new=4, batch=3)
    # Of the 50 tokens only the last gets scores, of V entries with C multiplications each.
    read = causal_forward_flops(*MODEL, n_tokens=50).total - 49 * 2 * 4096 * 128_256
    assert first == max(read / H100.flops, forward_bytes(*MODEL, n_tokens=50) / H100.bandwidth)
    # Three steps of three sequences, which wait for memory: weights and the caches so far.
    weights = 2 * (LLAMA.parameters.total - LLAMA.parameters.token_embedding)
    cache = kv_cache_bytes(LLAMA.config, n_tokens=51 + 52 + 53)
    assert rest == pytest.approx((3 * weights + 3 * cache) / H100.bandwidth, rel=1e-12)
    assert request_seconds(*MODEL, H100, n_prompt=50, n_new=1) == (first, 0.0)


@pytest.mark.equation("eq-request-seconds")
def test_a_long_prompt_waits_for_operations_and_scores_only_its_last_token() -> None:
    first, _ = request_seconds(*MODEL, H100, n_prompt=3000, n_new=1)
    read = causal_forward_flops(*MODEL, n_tokens=3000).total - 2999 * 2 * 4096 * 128_256
    assert first == read / H100.flops


@pytest.mark.equation("eq-token-price")
def test_prices() -> None:
    # A dollar buys 3600 v / d tokens at d dollars an hour and v tokens a second.
    assert cost_per_million_tokens(2.5, 400) * 3600 * 400 / 2.5 == pytest.approx(1e6)
