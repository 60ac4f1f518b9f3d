"""Model files: GGUF and safetensors of one tiny model give one model; what is wrong is told."""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref import llama
from primer_ref.config import Config
from primer_ref.formats import FormatError
from primer_ref.model_files import from_gguf, from_safetensors
from primer_ref.norms import rms_norm
from primer_ref.positions import rotary_frequencies, rotations
from primer_ref.rope_scaling import llama3_frequencies
from primer_ref.tokenizer import BPETokenizer, byte_characters
from tests import hostile

Arrays = dict[str, NDArray[np.float32]]

EPS = 2.0**-17  # which float32 holds exactly
CONFIG = Config(
    n_layers=2,
    width=24,
    n_heads=6,
    n_kv_heads=2,
    head_size=4,
    hidden=10,
    n_tokens=256,
    context=64,
    rope_base=100.0,
    eps=EPS,
)
TOKENS = [3, 200, 3, 77, 254, 0, 12, 99]
CHARACTERS = byte_characters()


def drawn() -> Arrays:
    """Draw the matrices of a model as the files keep them, (rows out, columns in), by part."""
    rng = np.random.default_rng(0)

    def normal(*shape: int, mean: float = 0.0) -> NDArray[np.float32]:
        values = mean + rng.normal(size=shape) / math.sqrt(shape[-1])
        return np.asarray(values, np.float32)

    parts = {"embedding": 4 * normal(256, 24), "norm": normal(24, mean=1)}
    for n in range(2):
        parts |= {
            f"{n}.attention_norm": normal(24, mean=1),
            f"{n}.q": normal(24, 24),
            f"{n}.k": normal(8, 24),
            f"{n}.v": normal(8, 24),
            f"{n}.output": normal(24, 24),
            f"{n}.hidden_norm": normal(24, mean=1),
            f"{n}.gate": normal(10, 24),
            f"{n}.up": normal(10, 24),
            f"{n}.down": normal(24, 10),
        }
    return parts


PARTS = drawn()


# --- Writers, made without the readers -----------------------------------------------------------


def typed(item: Any) -> tuple[int, Any]:
    """Give the type of a metadata value, and the value; a list says what it holds."""
    if isinstance(item, list):
        return 9, (8 if isinstance(item[0], str) else 5, item)
    return (8 if isinstance(item, str) else 6 if isinstance(item, float) else 4), item


GGUF_NAMES = {
    "attention_norm": "attn_norm",
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "output": "attn_output",
    "hidden_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.embedding_length": 24,
    "llama.attention.head_count": 6,
    "llama.attention.head_count_kv": 2,
    "llama.rope.dimension_count": 4,
    "llama.feed_forward_length": 10,
    "llama.vocab_size": 256,
    "llama.context_length": 64,
    "llama.rope.freq_base": 100.0,
    "llama.attention.layer_norm_rms_epsilon": EPS,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": [*CHARACTERS[:255], "ab"],
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.token_type": [3] + [1] * 255,
}


def gguf(path: Path, metadata: dict[str, Any] | None = None, **more: NDArray[Any]) -> Path:
    """Write a file of float32 arrays; metadata that is None is left out."""
    entries = {k: v for k, v in {**METADATA, **(metadata or {})}.items() if v is not None}
    arrays = {"token_embd.weight": PARTS["embedding"], "output_norm.weight": PARTS["norm"]}
    for name, array in PARTS.items():
        number, _, part = name.partition(".")
        if part:
            arrays[f"blk.{number}.{GGUF_NAMES[part]}.weight"] = array
    arrays |= {name.replace("__", "."): array for name, array in more.items()}
    tensors = [(name, a.shape, 0, a.astype("<f4").tobytes()) for name, a in arrays.items()]
    path.write_bytes(hostile.gguf([(key, *typed(item)) for key, item in entries.items()], tensors))
    return path


JSON_NAMES = {
    "attention_norm": "input_layernorm",
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "hidden_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
SIZES: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 24,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 10,
    "vocab_size": 256,
    "max_position_embeddings": 64,
    "rope_theta": 100,
    "rms_norm_eps": EPS,
    "tie_word_embeddings": True,
}
TOKENIZER: dict[str, Any] = {
    "model": {
        "type": "BPE",
        "vocab": {character: n for n, character in enumerate([*CHARACTERS[:254], "ab"])},
        "merges": [["a", "b"]],
    },
    "added_tokens": [{"id": 255, "content": "<end>", "special": True}],
    "normalizer": None,
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {
                "type": "ByteLevel",
                "add_prefix_space": False,
                "trim_offsets": True,
                "use_regex": True,
            },
        ],
    },
}


def tensors_file(path: Path, arrays: Arrays) -> None:
    header, data = {}, b""
    for name, array in arrays.items():
        raw = array.astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    raw_header = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw_header)) + raw_header + data)


def named(**more: NDArray[Any]) -> Arrays:
    """Name and pair the arrays as transformers does: coordinate i of a head with i + D/2."""
    half = [4 * head + i for head in range(6) for i in (0, 2, 1, 3)]  # where each one comes from
    arrays = {"model.embed_tokens.weight": PARTS["embedding"], "model.norm.weight": PARTS["norm"]}
    for name, array in PARTS.items():
        number, _, part = name.partition(".")
        if part:
            rows = half[: len(array)] if part in ("q", "k") else slice(None)
            arrays[f"model.layers.{number}.{JSON_NAMES[part]}.weight"] = array[rows]
    return arrays | {name.replace("__", "."): array for name, array in more.items()}


def folder(
    path: Path,
    sizes: dict[str, Any] | None = None,
    tokenizer: dict[str, Any] | None = None,
    **more: NDArray[Any],
) -> Path:
    """Write a folder as transformers does; sizes that are None are left out."""
    given = {k: v for k, v in {**SIZES, **(sizes or {})}.items() if v is not None}
    (path / "config.json").write_text(json.dumps(given), "utf-8")
    (path / "tokenizer.json").write_text(json.dumps(TOKENIZER | (tokenizer or {})), "utf-8")
    tensors_file(path / "model.safetensors", named(**more))
    return path


# --- What is read --------------------------------------------------------------------------------


def test_both_formats_give_one_model(tmp_path: Path) -> None:
    one, other = llama.load(gguf(tmp_path / "a.gguf")), llama.load(folder(tmp_path))
    assert one.config == other.config == CONFIG
    logits = llama.forward(one, TOKENS)
    np.testing.assert_array_equal(llama.forward(other, TOKENS), logits)
    # The arrays lie where they belong: the first scores of the first head, by hand.
    x = rms_norm(PARTS["embedding"][TOKENS].astype(float), PARTS["0.attention_norm"], eps=EPS)
    pairs = (x @ PARTS["0.q"][:4].T).reshape(-1, 2, 2) @ [1, 1j]
    turned = pairs * rotations(range(8), 4, base=100.0)
    query = llama.trace(one, TOKENS).queries[0, 0]
    np.testing.assert_allclose(query[:, ::2] + 1j * query[:, 1::2], turned, atol=1e-5)


def test_the_tokenizers(tmp_path: Path) -> None:
    _, _, tokenizer, _ = from_gguf(gguf(tmp_path / "a.gguf"))
    assert tokenizer.specials == {CHARACTERS[0]: 0}
    assert tokenizer.encode("ab") == [255]
    _, _, tokenizer, _ = from_safetensors(folder(tmp_path))
    assert tokenizer.encode("ab<end>", specials=True) == [254, 255]
    assert tokenizer.decode([254, 255]) == "ab<end>"


@pytest.mark.parametrize("read", ["gguf", "safetensors"])
def test_a_matrix_of_its_own_may_make_the_logits(tmp_path: Path, read: str) -> None:
    own = np.random.default_rng(1).normal(size=(256, 24)).astype(np.float32)
    if read == "gguf":
        tied = llama.load(gguf(tmp_path / "a.gguf"))
        model = llama.load(gguf(tmp_path / "b.gguf", output__weight=own))
    else:
        tied = llama.load(folder(tmp_path, lm_head__weight=own))  # which says that it is tied
        assert tied.weights.unembedding is None
        untied = {"tie_word_embeddings": False}
        model = llama.load(folder(tmp_path, untied, lm_head__weight=own))
    normed = rms_norm(llama.trace(tied, TOKENS).hidden[-1], PARTS["norm"], eps=EPS)
    np.testing.assert_allclose(llama.forward(model, TOKENS), normed @ own.T, atol=1e-4)


def test_what_a_file_may_leave_out(tmp_path: Path) -> None:
    metadata = {"llama.vocab_size": None, "llama.rope.dimension_count": None}
    assert llama.load(gguf(tmp_path / "a.gguf", metadata)).config == CONFIG
    config, _, _, frequencies = from_gguf(gguf(tmp_path / "a.gguf", {"llama.rope.freq_base": None}))
    assert config.rope_base == 1e4
    np.testing.assert_allclose(frequencies, [1, 0.01])
    config, _, _, frequencies = from_safetensors(folder(tmp_path, {"rope_theta": None}))
    assert config.rope_base == 1e4
    sizes = {"rope_theta": None, "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}
    assert from_safetensors(folder(tmp_path, sizes))[0].rope_base == 1e6


def test_null_is_left_out(tmp_path: Path) -> None:
    folder(tmp_path)
    absent = dict.fromkeys(["tie_word_embeddings", "head_dim", "rope_scaling", "rope_theta"])
    (tmp_path / "config.json").write_text(json.dumps(SIZES | absent), "utf-8")
    config, weights, _, _ = from_safetensors(tmp_path)
    assert (config.head_size, config.rope_base) == (4, 1e4)
    assert weights.unembedding is None


def test_scaled_frequencies(tmp_path: Path) -> None:
    theta = rotary_frequencies(4, base=100.0)
    slower = np.array([1.0, 8.0], np.float32)
    _, _, _, found = from_gguf(gguf(tmp_path / "a.gguf", rope_freqs__weight=slower))
    np.testing.assert_allclose(found, theta / [1, 8])
    linear = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    np.testing.assert_allclose(from_gguf(gguf(tmp_path / "a.gguf", linear))[3], theta / 4)
    sizes: dict[str, Any] = {"rope_scaling": {"type": "linear", "factor": 4}}
    np.testing.assert_allclose(from_safetensors(folder(tmp_path, sizes))[3], theta / 4)
    llama3 = {
        "rope_type": "llama3",
        "factor": 8.0,
        "original_max_position_embeddings": 16,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
    }
    expected = llama3_frequencies(theta, factor=8, context=16, slow=1, fast=4)
    found = from_safetensors(folder(tmp_path, {"rope_scaling": llama3}))[3]
    np.testing.assert_allclose(found, expected)
    model = llama.load(folder(tmp_path, {"rope_scaling": llama3}))
    plain = llama.load(gguf(tmp_path / "a.gguf"))
    assert not np.allclose(llama.forward(model, TOKENS), llama.forward(plain, TOKENS), atol=1e-3)


def test_a_model_in_pieces(tmp_path: Path) -> None:
    folder(tmp_path)
    expected = llama.forward(llama.load(tmp_path), TOKENS)
    arrays = named()
    first = dict(list(arrays.items())[:9])
    second = {name: array for name, array in arrays.items() if name not in first}
    (tmp_path / "model.safetensors").unlink()
    tensors_file(tmp_path / "one.safetensors", first)
    tensors_file(tmp_path / "two.safetensors", second)
    places = dict.fromkeys(first, "one.safetensors") | dict.fromkeys(second, "two.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}), "utf-8")
    np.testing.assert_array_equal(llama.forward(llama.load(tmp_path), TOKENS), expected)
    tensors_file(tmp_path / "two.safetensors", arrays)
    with pytest.raises(FormatError, match=r"names must be unique; got .* in two files"):
        llama.load(tmp_path)
    for bad in ("../one.safetensors", "/etc/passwd", "..", ".", "", "a\0b", "\ud800"):
        index.write_text(json.dumps({"weight_map": {"a": bad}}), "utf-8")
        with pytest.raises(FormatError, match="must lie beside its index; got"):
            llama.load(tmp_path)
    index.write_text('{"weight_map": [1]}', "utf-8")
    with pytest.raises(FormatError, match="must have a weight_map"):
        llama.load(tmp_path)


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"general.architecture": "gpt2"}, "architecture 'llama'; got 'gpt2'"),
        ({"llama.block_count": "two"}, "llama.block_count must be of type int; got 'two'"),
        ({"llama.block_count": 2.0}, "llama.block_count must be of type int; got 2.0"),
        ({"llama.block_count": None}, "llama.block_count must be of type int; got None"),
        ({"llama.rope.freq_base": 100}, "llama.rope.freq_base must be of type float; got 100"),
        ({"tokenizer.ggml.merges": None}, "tokenizer.ggml.merges must be a list; got None"),
        ({"llama.block_count": 3}, r"blk.2.attn_norm.weight of shape \(24,\); got none"),
        ({"llama.feed_forward_length": 12}, r"of shape \(12, 24\); got \(10, 24\)"),
        ({"llama.rope.dimension_count": 2}, "all of a head must be turned; got 2 of 4"),
        ({"llama.attention.head_count_kv": 4}, "multiple of n_kv_heads"),
        ({"llama.attention.head_count": 0}, "must be"),
        ({"tokenizer.ggml.pre": "llama-bpe"}, "tokenizer must be"),
        ({"llama.rope.scaling.type": "yarn"}, "must be 'none' or 'linear'; got 'yarn'"),
        ({"llama.rope.scaling.type": "linear"}, "scaling.factor must be of type float; got None"),
        (
            {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 0.0},
            "factor must be",
        ),
        ({"llama.rope.freq_base": math.inf}, "llama.rope.freq_base must be below 2\\^63; got inf"),
        (
            {"llama.attention.layer_norm_rms_epsilon": math.inf},
            "rms_epsilon must be below 2\\^63; got inf",
        ),
        ({"llama.rope.dimension_count": 4.0}, "dimension_count must be of type int; got 4.0"),
        ({"tokenizer.ggml.token_type": ["3"] * 256}, "token_type must hold integers"),
        ({"llama.block_count": 1}, r"no other arrays; got 'blk\.1\.attn_k\.weight'"),
    ],
)
def test_gguf_of_another_kind(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_gguf(gguf(tmp_path / "a.gguf", change))


def test_gguf_with_other_arrays(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no other arrays; got 'blk\.0\.attn_q\.bias'"):
        from_gguf(gguf(tmp_path / "a.gguf", blk__0__attn_q__bias=np.zeros(24, np.float32)))
    bad = np.array([1.0, 0.0], np.float32)
    with pytest.raises(FormatError, match=r"rope_freqs\.weight must be positive; got 0"):
        from_gguf(gguf(tmp_path / "a.gguf", rope_freqs__weight=bad))
    bad = np.array([1.0, math.inf], np.float32)
    with pytest.raises(FormatError, match=r"finite; rope_freqs\.weight has inf"):
        from_gguf(gguf(tmp_path / "a.gguf", rope_freqs__weight=bad))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("part", ["token_embd", "output_norm", "blk.1.attn_norm", "blk.1.ffn_up"])
def test_weights_are_finite(tmp_path: Path, part: str, bad: float) -> None:
    names = {name: f"blk.{name[0]}.{GGUF_NAMES.get(name[2:])}" for name in PARTS}
    names |= {"embedding": "token_embd", "norm": "output_norm"}
    array = PARTS[next(name for name in PARTS if names[name] == part)].copy()
    array.flat[-1] = bad
    path = gguf(tmp_path / "a.gguf", None, **{f"{part}.weight".replace(".", "__"): array})
    with pytest.raises(FormatError, match=rf"weights must be finite; {part}.weight has {bad}"):
        from_gguf(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "qwen2"}, "model_type must be 'llama'; got 'qwen2'"),
        ({"hidden_act": "gelu"}, "hidden_act must be 'silu'; got 'gelu'"),
        ({"hidden_size": None}, "hidden_size must be of type int; got None"),
        ({"hidden_size": True}, "hidden_size must be of type int; got True"),
        ({"num_key_value_heads": 4}, "multiple of n_kv_heads"),
        ({"head_dim": 5}, "head_size must be even"),
        ({"vocab_size": 255}, r"embed_tokens.weight of shape \(255, 24\); got \(256, 24\)"),
        ({"rope_scaling": {"type": "yarn"}}, "'linear' or 'llama3'; got 'yarn'"),
        ({"rope_scaling": {"type": "linear", "factor": "4"}}, "factor must be a number; got '4'"),
        ({"rope_scaling": {"type": "linear", "factor": -1}}, "factor must be"),
        ({"rope_scaling": {"type": "linear", "factor": 10**400}}, r"below 2\^63; got 1000"),
        ({"rope_scaling": {"type": ["linear"]}}, r"'linear' or 'llama3'; got \['linear'\]"),
        ({"rope_scaling": 4}, "rope_scaling must be an object; got 4"),
        ({"rope_parameters": ["linear"]}, r"must be an object; got \['linear'\]"),
        ({"rope_theta": 10**400}, "rope_theta must be of type float; got 1000"),
        ({"rope_theta": math.inf}, r"rope_theta must be below 2\^63; got inf"),
        ({"rms_norm_eps": 10**400}, "rms_norm_eps must be of type float; got 1000"),
        ({"max_position_embeddings": 2**63}, r"embeddings must be below 2\^63; got 92233"),
        ({"num_hidden_layers": 1}, r"no other arrays; got 'model\.layers\.1\."),
        ({"tie_word_embeddings": False}, "must have lm_head.weight; got none"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings must be of type bool; got 'no'"),
    ],
)
def test_safetensors_of_another_kind(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        from_safetensors(folder(tmp_path, change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "must be BPE over bytes"),
        ({"model": {"type": "Unigram"}}, "got Unigram"),
        ({"normalizer": {"type": "NFC"}}, "must be BPE over bytes"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "must be BPE over bytes"),
        ({"pre_tokenizer": {"pretokenizers": 3}}, "must be BPE over bytes"),
        ({"pre_tokenizer": None}, "must be BPE over bytes"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}}}, "must have a vocab, merges"),
        ({"added_tokens": [{"id": 255}]}, "must have a vocab, merges"),
        ({"added_tokens": [{"id": 300, "content": "x"}]}, "must be 0, 1, 2 …, each once"),
        ({"added_tokens": [{"id": 255.0, "content": "x"}]}, "must be 0, 1, 2 …, each once"),
        ({"added_tokens": [{"id": 255, "content": ""}]}, "special token must have a name"),
        *(
            ({"model": TOKENIZER["model"] | option}, "must merge as here, always; got")
            for option in (
                {"dropout": 0.1},
                {"continuing_subword_prefix": "##"},
                {"end_of_word_suffix": "</w>"},
                {"ignore_merges": True},
            )
        ),
    ],
)
def test_tokenizers_of_another_kind(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_safetensors(folder(tmp_path, None, change))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "must be JSON in UTF-8"),
        (b"\xff", "must be JSON in UTF-8"),
        (b"[1]", "must be a JSON object; got list"),
        (b"[" * 100_000, "must be JSON in UTF-8"),
        ("{}".encode("utf-16"), "must be JSON in UTF-8"),
        (b"\xef\xbb\xbf{}", "must be JSON in UTF-8"),
        (b'{"size": 24, "size": 48}', "names in an object must be unique; got 'size' twice"),
    ],
)
def test_json_that_is_none(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=f"{name}:? {message}"):
        from_safetensors(tmp_path)


def test_a_tokenizer_reads_its_json_like_its_merges() -> None:
    merges = ["a b", "Ġ ab"]
    expected = BPETokenizer.from_merges(merges, ["<end>"])
    content = TOKENIZER | {
        "model": {
            "type": "BPE",
            "vocab": {token: n for n, token in enumerate(expected.tokens[:-1])},
            "merges": merges,
        },
        "added_tokens": [{"id": 258, "content": "<end>"}],
    }
    read: Callable[[str], list[int]] = BPETokenizer.from_json(content).encode
    for text in ("abab ab 12", "<end>", "a b"):
        assert read(text) == expected.encode(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("name", ["a.gguf", "config.json", "tokenizer.json", "model.safetensors"])
def test_what_is_no_file_does_not_hang(tmp_path: Path, name: str) -> None:
    folder(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(FormatError, match=f"must be a regular file; got '.*{name}'"):
        llama.load(tmp_path / name if name == "a.gguf" else tmp_path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless files")
def test_an_endless_file_is_not_read(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").symlink_to("/dev/zero")
    with pytest.raises(FormatError, match="must be a regular file; got"):
        llama.load(tmp_path)


# --- Hostile files -------------------------------------------------------------------------------


def load_hostile(path: Path) -> None:
    """Load a model and let it read a token: it works, or it is a FormatError."""
    try:
        model = llama.load(path)
    except FormatError:
        return
    with np.errstate(all="ignore"), contextlib.suppress(ValueError):  # weights may be NaN
        assert llama.forward(model, [0]).shape == (1, model.config.n_tokens)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile.mutations)
def test_no_mutation_of_a_gguf_model_does_harm(
    tmp_path: Path, changes: list[tuple[str, int, bytes]]
) -> None:
    path = gguf(tmp_path / "a.gguf")
    head = path.read_bytes()[:7000]  # mutations of the weights are only other weights
    path.write_bytes(hostile.mutated(head, changes) + path.read_bytes()[7000:])
    load_hostile(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["config.json", "tokenizer.json", "model.safetensors"]), hostile.mutations)
def test_no_mutation_of_a_folder_does_harm(
    tmp_path: Path, name: str, changes: list[tuple[str, int, bytes]]
) -> None:
    path = folder(tmp_path) / name
    path.write_bytes(hostile.mutated(path.read_bytes()[:3000], changes) + path.read_bytes()[3000:])
    load_hostile(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"llama.block_count": 2**32 - 1},
        {"llama.rope.dimension_count": 2**31, "llama.attention.key_length": 2**31},
        {"llama.feed_forward_length": 2**32 - 1},
        {"llama.context_length": 2**32 - 1},
        {"tokenizer.ggml.tokens": [1, 2, 3]},
        {"tokenizer.ggml.merges": [1]},
        {"tokenizer.ggml.token_type": [3] * 1000},
        {"tokenizer.ggml.token_type": ["a"]},
    ],
)
def test_what_is_announced_costs_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    path = gguf(tmp_path / "a.gguf", change)
    tracemalloc.start()
    try:
        load_hostile(path)
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()
