"""Bytes of weights, caches and passes: arrays of that size, identities, published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.config import Config
from primer_ref.memory import forward_bytes, kv_cache_bytes, paged_tokens, weight_bytes
from primer_ref.parameters import MODELS, gpt_parameters, llama_parameters

SMALL = Config(
    n_layers=3, width=10, n_heads=4, n_kv_heads=2, head_size=6, hidden=26, n_tokens=37, context=19
)
LLAMA, GPT = llama_parameters(SMALL, tied=True), gpt_parameters(SMALL)


@pytest.mark.equation("eq-kv-cache")
def test_caches_of_published_models() -> None:
    expected = {"llama2-7b": 524_288, "llama2-70b": 327_680, "llama3-8b": 131_072}
    expected |= {"llama3-405b": 516_096, "gpt3-175b": 4_718_592}
    for name, size in expected.items():
        assert kv_cache_bytes(MODELS[name].config, n_tokens=1) == size
    whole = kv_cache_bytes(SMALL, n_tokens=9, bytes_per_number=4)
    assert whole == np.ones((2, 3, 9, 2, 6), np.float32).nbytes


@pytest.mark.equation("eq-weight-bytes")
def test_stored_weights() -> None:
    assert weight_bytes(GPT, bits=32) == 4 * GPT.total
    # 4.5 bits: blocks of 32 four-bit weights and a 16-bit scale.
    assert weight_bytes(GPT, bits=4.5) == GPT.total / 32 * 18


@pytest.mark.equation("eq-pass-bytes")
def test_a_pass_moves_the_weights_once_and_each_cache_once() -> None:
    untied = llama_parameters(SMALL, tied=False)
    one = forward_bytes(SMALL, untied, n_tokens=1, n_past=8)
    # The table of tokens is not read, the head is; a shared table is read as the head.
    weights = 2 * (untied.total - untied.token_embedding)
    assert one == weights + kv_cache_bytes(SMALL, n_tokens=9)
    assert one == forward_bytes(SMALL, LLAMA, n_tokens=1, n_past=8)
    five = forward_bytes(SMALL, untied, n_tokens=1, n_past=8, batch=5, bytes_per_number=4)
    assert five == 2 * (weights + 5 * kv_cache_bytes(SMALL, n_tokens=9))
    # Learned positions are looked up, not read.
    assert forward_bytes(SMALL, GPT, n_tokens=9) == 2 * (
        GPT.total - GPT.position_embedding
    ) + kv_cache_bytes(SMALL, n_tokens=9)


@pytest.mark.equation("eq-paged-tokens")
@given(st.lists(st.integers(0, 50), max_size=6), st.integers(1, 20))
def test_blocks_hold_every_token_and_waste_less_than_one_block_a_sequence(
    lengths: list[int], block: int
) -> None:
    held = paged_tokens(lengths, block)
    blocks = 0
    for length in lengths:  # hand out a block whenever the last one is full
        room = 0
        for _ in range(length):
            if room == 0:
                blocks, room = blocks + 1, block
            room -= 1
    assert held == blocks * block
    assert 0 <= held - sum(lengths) <= len(lengths) * (block - 1)


def test_lengths_of_a_narrow_type_do_not_wrap() -> None:
    assert paged_tokens(np.array([1, 16, 17], np.uint8), 16) == 64
    assert paged_tokens(np.array([120, 127], np.int8), 50) == 300
