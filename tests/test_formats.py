"""Model files: what is read, and that nothing in a file can do harm."""

from __future__ import annotations

import json
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primer_ref.formats import FormatError, ModelFile, read_gguf, read_safetensors
from primer_ref.llama import find_model
from tests.hostile import gguf, mutated, mutations

Read = Callable[[Path], ModelFile]

F32, F16, Q4_0, Q4_1, Q8_0, BF16 = 0, 1, 2, 3, 8, 30


def quantized(kind: int, n_blocks: int, rng: np.random.Generator) -> tuple[bytes, list[float]]:
    """Make random blocks, and decode them one number at a time."""
    raw, values = b"", []
    for _ in range(n_blocks):
        scale, offset = struct.unpack("<2e", struct.pack("<2e", *rng.normal(size=2)))
        if kind == Q8_0:
            codes = rng.integers(-128, 128, 32).tolist()
            raw += struct.pack("<e32b", scale, *codes)
            values += [scale * code for code in codes]
            continue
        codes = rng.integers(0, 16, 32).tolist()
        packed = bytes(codes[i] + 16 * codes[i + 16] for i in range(16))
        if kind == Q4_0:
            raw += struct.pack("<e", scale) + packed
            values += [scale * (code - 8) for code in codes]
        else:
            raw += struct.pack("<2e", scale, offset) + packed
            values += [scale * code + offset for code in codes]
    return raw, values


@pytest.fixture(scope="module")
def small() -> bytes:
    """A file with a value of every type and a tensor of every encoding."""
    rng = np.random.default_rng(0)
    metadata = [
        ("u8", 0, 255),
        ("i8", 1, -128),
        ("u16", 2, 65535),
        ("i16", 3, -5),
        ("u32", 4, 7),
        ("i32", 5, -7),
        ("f32", 6, 0.5),
        ("yes", 7, True),
        ("name", 8, "naïve 模型"),
        ("u64", 10, 2**63),
        ("i64", 11, -(2**62)),
        ("f64", 12, 1e300),
        ("numbers", 9, (5, [1, -2, 3])),
        ("words", 9, (8, ["a", "", "ß"])),
        ("flags", 9, (7, [True, False])),
        ("nested", 9, (9, [(4, [1, 2]), (8, ["x"])])),
    ]
    tensors: list[tuple[str, tuple[int, ...], int, bytes]] = [
        (f"q{kind}", (3, 64), kind, quantized(kind, 6, rng)[0]) for kind in (Q4_0, Q4_1, Q8_0)
    ]
    tensors += [
        ("single", (2, 3), F32, struct.pack("<6f", *range(6))),
        ("half", (4,), F16, struct.pack("<4e", 1, -0.5, 65504, 0)),
        ("brain", (2, 1), BF16, struct.pack("<2H", 0x3F80, 0xC040)),
    ]
    return gguf(metadata, tensors)


def opened(folder: Path, content: bytes, read: Read = read_gguf) -> ModelFile:
    path = folder / "model"
    path.write_bytes(content)
    return read(path)


def test_metadata(tmp_path: Path, small: bytes) -> None:
    metadata = opened(tmp_path, small).metadata
    assert metadata["name"] == "naïve 模型"
    assert [metadata[key] for key in ("u8", "i8", "u16", "i16")] == [255, -128, 65535, -5]
    assert [metadata[key] for key in ("u32", "i32", "u64", "i64")] == [7, -7, 2**63, -(2**62)]
    assert (metadata["f32"], metadata["f64"], metadata["yes"]) == (0.5, 1e300, True)
    assert metadata["numbers"] == [1, -2, 3]
    assert metadata["words"] == ["a", "", "ß"]
    assert metadata["flags"] == [True, False]
    assert metadata["nested"] == [[1, 2], ["x"]]
    deepest = [("deep", 9, (9, [(9, [(9, [(4, [7])])])]))]
    assert opened(tmp_path, gguf(deepest, [])).metadata == {"deep": [[[[7]]]]}


@pytest.mark.parametrize("kind", [Q4_0, Q4_1, Q8_0])
def test_quantized(tmp_path: Path, kind: int) -> None:
    raw, values = quantized(kind, 10, np.random.default_rng(kind))
    tensor = opened(tmp_path, gguf([], [("w", (5, 64), kind, raw)])).tensors["w"]
    decoded = tensor.decode()
    assert decoded.dtype == np.float32
    assert decoded.shape == tensor.shape == (5, 64)
    np.testing.assert_allclose(decoded.ravel(), values, rtol=1e-6, atol=1e-6)


def test_plain_floats(tmp_path: Path, small: bytes) -> None:
    tensors = opened(tmp_path, small).tensors
    assert list(tensors) == ["q2", "q3", "q8", "single", "half", "brain"]
    assert tensors["single"].decode().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tensors["half"].decode().tolist() == [1, -0.5, 65504, 0]
    assert tensors["brain"].decode().tolist() == [[1], [-3]]
    assert {tensor.decode().dtype for tensor in tensors.values()} == {np.dtype(np.float32)}


def test_decoded_is_a_copy(tmp_path: Path, small: bytes) -> None:
    tensor = opened(tmp_path, small).tensors["single"]
    tensor.decode()[:] = 9
    assert tensor.decode()[0, 0] == 0


@pytest.mark.equation("eq-gguf-start")
@pytest.mark.parametrize("version", [2, 3])
def test_alignment_is_kept(tmp_path: Path, version: int) -> None:
    one = [("a", (1,), F32, struct.pack("<f", 1)), ("b", (1,), F32, struct.pack("<f", 2))]
    metadata = [("general.alignment", 4, 64)]
    file = opened(tmp_path, gguf(metadata, one, version=version, alignment=64))
    assert [tensor.decode()[0] for tensor in file.tensors.values()] == [1, 2]


def entry(name: bytes, axes: tuple[int, ...], kind: int, offset: int) -> bytes:
    return (
        struct.pack("<Q", len(name))
        + name
        + struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, kind, offset)
    )


def header(n_tensors: int, n_values: int, body: bytes, room: int = 256) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_values) + body + b"\0" * room


KEY = struct.pack("<Q", 1) + b"k"
DEEP = KEY + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 200
FIVE_DEEP = KEY + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 4 + struct.pack("<IQ", 0, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"GG", "must start with b'GGUF'; got b'GG'"),
        (b"GGML" + bytes(40), "must start with b'GGUF'"),
        (b"GGUF\x03", "1 numbers of at least 4 bytes"),
        (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "version of GGUF must be 2 or 3; got 4"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "a big-endian file"),
        (header(0, 2**62, b""), "4611686018427387904 metadata entries"),
        (header(2**62, 0, b""), "4611686018427387904 tensors"),
        (header(0, 1, struct.pack("<Q", 2**40)), "1099511627776 characters"),
        (header(0, 1, struct.pack("<Q", 1) + b"\xff"), "strings must be UTF-8; at byte 24"),
        (header(0, 1, KEY + struct.pack("<I", 13)), "must be one of 0 to 12; got 13"),
        (header(0, 1, KEY + struct.pack("<IB", 7, 2)), "Boolean must be 0 or 1; got 2"),
        (header(0, 1, KEY + struct.pack("<IIQ", 9, 0, 2**61)), "numbers of at least 1 bytes"),
        (header(0, 1, KEY + struct.pack("<IIQ", 9, 8, 2**61)), "strings of at least 8 bytes"),
        (header(0, 1, KEY + struct.pack("<IIQ", 9, 9, 2**61)), "arrays of at least 12 bytes"),
        (header(0, 1, KEY + struct.pack("<IIQ", 9, 13, 1)), "must be one of 0 to 12; got 13"),
        (header(0, 1, KEY + struct.pack("<IIQ", 9, 2**32 - 1, 1)), "got 4294967295"),
        (header(0, 1, DEEP), "nested at most 4 deep"),
        (header(0, 1, FIVE_DEEP), "nested at most 4 deep; got 5"),
        (header(0, 2, (KEY + struct.pack("<IB", 0, 1)) * 2), "keys must be unique; got 'k'"),
        (header(1, 0, entry(b"w", (), F32, 0)), "must have 1 to 4 axes; 'w' has 0"),
        (header(1, 0, entry(b"w", (1,) * 5, F32, 0)), "must have 1 to 4 axes; 'w' has 5"),
        (header(1, 0, entry(b"w", (1, 0), F32, 0)), "positive length"),
        (header(1, 0, entry(b"w", (4,), 99, 0)), "'w' has 99"),
        (header(1, 0, entry(b"w", (4,), F32, 8)), "multiples of the alignment 32; 'w' has 8"),
        (header(1, 0, entry(b"w", (2**63,) * 4, F32, 0)), "arrays must end inside the file"),
        (header(1, 0, entry(b"w", (33,), Q8_0, 0)), "must be a multiple of 32 long"),
        (header(1, 0, entry(b"w", (4,), F32, 2**63)), "arrays must end inside the file"),
        (header(2, 0, entry(b"w", (4,), F32, 0) * 2), "names must be unique; got 'w'"),
        (
            header(2, 0, entry(b"v", (9,), F32, 0) + entry(b"w", (4,), F32, 32)),
            "must not overlap; tensors 'v' and 'w' do",
        ),
        (
            header(0, 1, struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, 12)),
            "alignment must be a positive multiple of 8; got 12",
        ),
        (
            header(0, 1, struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<IQ", 8, 0)),
            "alignment must be a positive multiple of 8; got ''",
        ),
    ],
)
def test_gguf_rules(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        opened(tmp_path, content)


@pytest.mark.parametrize("bad", [0x7C00, 0xFC00, 0x7E00])  # +inf, -inf, NaN
def test_scales_must_be_finite(tmp_path: Path, bad: int) -> None:
    raw = struct.pack("<H", bad) + bytes(32)
    tensor = opened(tmp_path, gguf([], [("w", (32,), Q8_0, raw)])).tensors["w"]
    with pytest.raises(FormatError, match="scales must be finite; tensor 'w' has"):
        tensor.decode()


def test_every_truncation_is_an_error(tmp_path: Path, small: bytes) -> None:
    for length in range(len(small) - 28):  # the padding at the end may go
        with pytest.raises(FormatError):
            opened(tmp_path, small[:length])


hostile = settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_reading(folder: Path, content: bytes, read: Read) -> None:
    """Read everything: it works, with the shapes announced, or it is a FormatError."""
    try:
        file = opened(folder, content, read)
        for tensor in file.tensors.values():
            assert tensor.decode().shape == tensor.shape
    except FormatError:
        pass


@hostile
@given(mutations)
def test_no_mutation_does_harm(
    tmp_path: Path, small: bytes, changes: list[tuple[str, int, bytes]]
) -> None:
    check_reading(tmp_path, mutated(small, changes), read_gguf)


# --- Safetensors -----------------------------------------------------------------------------


def safetensors(head: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    raw = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


SMALL = safetensors(
    {
        "__metadata__": {"format": "np"},
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [18, 22]},
        "c": {"dtype": "F16", "shape": [], "data_offsets": [16, 18]},
    },
    struct.pack("<4feHH", 1, 2, 3, 4, 0.5, 0x3F80, 0xC040),
)


@pytest.mark.equation("eq-safetensors")
def test_safetensors(tmp_path: Path) -> None:
    file = opened(tmp_path, SMALL, read_safetensors)
    assert file.metadata == {"format": "np"}
    assert list(file.tensors) == ["a", "b", "c"]
    assert file.tensors["a"].decode().tolist() == [[1, 2], [3, 4]]
    assert file.tensors["b"].decode().tolist() == [1, -3]
    assert file.tensors["c"].decode().tolist() == 0.5
    assert file.tensors["b"].decode().dtype == np.float32


def test_a_header_of_safetensors_may_end_in_spaces(tmp_path: Path) -> None:
    assert opened(tmp_path, safetensors(b"{}   "), read_safetensors).tensors == {}


@pytest.mark.equation("eq-safetensors")
@pytest.mark.parametrize("offsets", [[0, 8], [4, 12]])
def test_safetensors_without_gaps(tmp_path: Path, offsets: list[int]) -> None:
    # The format forbids bytes that belong to no array: before, between or behind the arrays.
    content = one(data_offsets=offsets) + bytes(4)
    found = len(content) - 4
    with pytest.raises(FormatError, match=f"fill the file; they have {found} bytes of {found + 4}"):
        opened(tmp_path, content, read_safetensors)


def one(**changes: Any) -> bytes:
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}
    return safetensors({"w": {k: v for k, v in tensor.items() if v != "gone"}}, bytes(8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1234567", "at least 8 bytes; got 7"),
        (safetensors({}, length=2**60), "must end inside the file"),
        (safetensors(b"{"), "must be JSON in UTF-8"),
        (safetensors(b'{"\xff": 1}'), "must be JSON in UTF-8"),
        (safetensors(b"[" * 100_000), "must be JSON in UTF-8"),
        (safetensors(b'{"w": ' + b"1" * 5000 + b"}"), "must be JSON in UTF-8"),
        (safetensors([]), "must be a JSON object; got list"),
        (safetensors(b'{"w": 1, "w": 1}'), "must be unique; got 'w' twice"),
        (safetensors(b'{"__metadata__": {"a": "b", "a": ""}}'), "must be unique; got 'a' twice"),
        (safetensors({"__metadata__": 3}), "__metadata__ must be a JSON object; got int"),
        (safetensors({"__metadata__": {"a": "3", "b": 3}}), "must hold strings; 'b' has int"),
        (safetensors(b" {}"), "the header must begin with '{'; got ' '"),
        (safetensors({"w": 3}), "must have a dtype"),
        (one(shape="gone"), "must have a dtype"),
        (one(dtype="I8"), "must be F32, F16 or BF16; 'w' has I8"),
        (one(dtype=["F32"]), "'w' has no string"),
        (one(shape=[0]), "shape must hold integers from 1 on"),
        (one(shape=[True, 2]), "shape must hold integers"),
        (one(shape=[2.0]), "shape must hold integers"),
        (one(shape=[2**63]), "shape must hold integers"),
        (one(shape=[1] * 65), "shape must be a list of at most 64 integers"),
        (one(shape=2), "shape must be a list of at most 64 integers"),
        (one(shape=[2**62] * 64), "start and the end of the"),
        (one(data_offsets=[0, 4]), "start and the end of the 8 bytes"),
        (one(data_offsets=[8, 0]), "start and the end of the 8 bytes"),
        (one(data_offsets=[0]), "start and the end of the 8 bytes"),
        (one(data_offsets=[-8, 0]), "data_offsets must hold integers from 0 on"),
        (one(data_offsets=[8, 16]), "arrays must end inside the file; tensor 'w' ends at byte 16"),
    ],
)
def test_safetensors_rules(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        opened(tmp_path, content, read_safetensors)


@hostile
@given(mutations)
def test_no_mutation_of_safetensors_does_harm(
    tmp_path: Path, changes: list[tuple[str, int, bytes]]
) -> None:
    check_reading(tmp_path, mutated(SMALL, changes), read_safetensors)


# --- The corpus: a file for every rule, and files that announce more than they hold --------------

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
READERS: dict[str, Read] = {".gguf": read_gguf, ".safetensors": read_safetensors}


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_corpus(path: Path) -> None:
    """What is wrong is said, in words that the file's name begins; memory stays near its size."""
    tracemalloc.start()
    try:
        said = ""
        try:
            READERS[path.suffix](path)
        except FormatError as error:
            said = re.sub("[^a-z0-9]+", "-", str(error).lower())
        assert tracemalloc.get_traced_memory()[1] < 100_000 + 40 * path.stat().st_size
    finally:
        tracemalloc.stop()
    assert path.stem.startswith("many-") or re.sub(r"-\d$", "", path.stem) in said


@hostile
@given(st.sampled_from(CORPUS), mutations)
def test_no_mutation_of_the_corpus_does_harm(
    tmp_path: Path, path: Path, changes: list[tuple[str, int, bytes]]
) -> None:
    check_reading(tmp_path, mutated(path.read_bytes(), changes), READERS[path.suffix])


@pytest.mark.model
def test_the_real_model() -> None:
    file = read_gguf(find_model())
    assert len(file.tensors) == 272
    assert file.metadata["general.architecture"] == "llama"
    assert file.tensors["token_embd.weight"].encoding == "Q8_0"
    assert file.tensors["blk.29.ffn_down.weight"].shape == (576, 1536)
