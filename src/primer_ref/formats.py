"""Reading model files: GGUF and safetensors.

A model file is a header, which names the arrays and says where each one lies, followed by their
bytes. The readers map the file into memory, check the whole header against the size of the file
before they believe any of it, and decode an array only when it is asked for. Whatever is wrong
with a file is a :class:`FormatError` that states the rule, what it protects, and the value found.
"""

from __future__ import annotations

import json
import math
import mmap
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FormatError",
    "ModelFile",
    "StoredTensor",
    "read_gguf",
    "read_json",
    "read_safetensors",
]

Bytes = NDArray[np.uint8]
Single = NDArray[np.float32]


class FormatError(ValueError):
    """A model file breaks a rule of its format."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """An array as it lies in a file: encoded bytes, and what they mean.

    Attributes
    ----------
    name : str
        Name in the file.
    encoding : str
        ``"F32"``, ``"F16"``, ``"BF16"``, ``"Q8_0"``, ``"Q4_0"`` or ``"Q4_1"``.
    shape : tuple of int
        Shape in NumPy's order: the last axis is contiguous.
    raw : ndarray of uint8
        The bytes, a view of the mapped file.
    """

    name: str
    encoding: str
    shape: tuple[int, ...]
    raw: Bytes

    def decode(self) -> Single:
        r"""Values as a new float32 array.

        Returns
        -------
        ndarray of float32, shape ``self.shape``
            A block of 32 weights is :math:`d\,q` (Q8_0), :math:`d\,(q - 8)` (Q4_0) or
            :math:`d\,q + m` (Q4_1) with one float16 scale d, and offset m, for the block.

        Raises
        ------
        FormatError
            If the scale of a block is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from primer_ref.formats import StoredTensor
        >>> raw = np.array([1.0, 0.5], np.float16).view(np.uint8)
        >>> StoredTensor("gain", "F16", (2,), raw).decode().tolist()
        [1.0, 0.5]
        """
        encoding = _ENCODINGS[self.encoding]
        blocks = self.raw.reshape(-1, encoding.n_bytes)
        n_scales = encoding.n_scales
        with np.errstate(invalid="ignore"):  # a signaling NaN is a value like any other
            scales = blocks[:, : 2 * n_scales].copy().view("<f2").astype(np.float32)
            if not np.isfinite(scales).all():
                raise FormatError(
                    f"scales must be finite; tensor {self.name!r} has "
                    f"{scales[~np.isfinite(scales)][0]}"
                )
            values = encoding.decode(blocks[:, 2 * n_scales :], scales)
        return values.reshape(self.shape)

    def rows(self, start: int, stop: int) -> StoredTensor:
        """Cut out some of the rows, still encoded.

        Parameters
        ----------
        start, stop : int
            From which row on, and before which one to stop, along the first axis.

        Returns
        -------
        StoredTensor
            An array of ``stop - start`` rows over the same bytes.

        Raises
        ------
        ValueError
            If there are no such rows.

        Examples
        --------
        >>> import numpy as np
        >>> from primer_ref.formats import StoredTensor
        >>> raw = np.arange(6, dtype=np.float32).view(np.uint8)
        >>> StoredTensor("table", "F32", (3, 2), raw).rows(1, 3).decode().tolist()
        [[2.0, 3.0], [4.0, 5.0]]
        """
        if not self.shape or not 0 <= start < stop <= self.shape[0]:
            raise ValueError(
                f"rows must lie in the array; got rows {start} to {stop} of shape {self.shape}"
            )
        size = len(self.raw) // self.shape[0]
        raw = self.raw[start * size : stop * size]
        return StoredTensor(self.name, self.encoding, (stop - start, *self.shape[1:]), raw)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a model file holds.

    Attributes
    ----------
    metadata : mapping of str to object
        Hyperparameters and, in GGUF, the vocabulary.
    tensors : mapping of str to StoredTensor
        The arrays, by name.
    mapping : mmap
        The bytes of the file that the tensors are views of.
    """

    metadata: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]
    mapping: mmap.mmap

    def release(self) -> None:
        """Give back the memory of the pages that were read; they are read again when needed.

        Examples
        --------
        >>> from primer_ref.formats import read_gguf
        >>> from primer_ref.llama import find_model
        >>> file = read_gguf(find_model())
        >>> before = file.tensors["output_norm.weight"].decode()
        >>> file.release()
        >>> bool((file.tensors["output_norm.weight"].decode() == before).all())
        True
        """
        if hasattr(self.mapping, "madvise"):
            self.mapping.madvise(mmap.MADV_DONTNEED)


# --- How numbers are encoded -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Encoding:
    n_values: int  # in a block
    n_bytes: int  # in a block
    n_scales: int  # float16 numbers that a block starts with
    decode: Callable[[Bytes, Single], Single]  # the other bytes and the scales -> the values


def _decode_bf16(codes: Bytes, _: Single) -> Single:
    # bfloat16 is the upper half of a float32.
    return (codes.copy().view("<u2").astype(np.uint32) << 16).view(np.float32)


def _decode_q8_0(codes: Bytes, scales: Single) -> Single:
    return codes.view(np.int8) * scales


def _scaled_nibbles(codes: Bytes, scale: Single) -> Single:
    """Low halves of the 16 bytes, then their high halves, times the scale."""
    values = np.empty((len(codes), 32), np.float32)
    np.multiply(codes & 15, scale, out=values[:, :16])
    np.multiply(codes >> 4, scale, out=values[:, 16:])
    return values


def _decode_q4_0(codes: Bytes, scales: Single) -> Single:
    values = _scaled_nibbles(codes, scales)
    values -= 8 * scales
    return values


def _decode_q4_1(codes: Bytes, scales: Single) -> Single:
    values = _scaled_nibbles(codes, scales[:, :1])
    values += scales[:, 1:]
    return values


_ENCODINGS = {
    "F32": _Encoding(1, 4, 0, lambda codes, _: codes.copy().view("<f4").astype(np.float32)),
    "F16": _Encoding(1, 2, 0, lambda codes, _: codes.copy().view("<f2").astype(np.float32)),
    "BF16": _Encoding(1, 2, 0, _decode_bf16),
    "Q4_0": _Encoding(32, 18, 1, _decode_q4_0),
    "Q4_1": _Encoding(32, 20, 2, _decode_q4_1),
    "Q8_0": _Encoding(32, 34, 1, _decode_q8_0),
}


def _n_bytes(name: str, encoding: str, shape: tuple[int, ...]) -> int:
    """Bytes that an array takes; rows must consist of whole blocks."""
    block = _ENCODINGS[encoding]
    if shape and shape[-1] % block.n_values:
        raise FormatError(
            f"a row of {encoding} must be a multiple of {block.n_values} long; "
            f"tensor {name!r} has rows of {shape[-1]}"
        )
    return math.prod(shape) // block.n_values * block.n_bytes


def _slice_tensors(
    places: Mapping[str, tuple[str, tuple[int, ...], int]], data: Bytes
) -> dict[str, StoredTensor]:
    """Cut the data into arrays, which must lie inside it and not overlap."""
    tensors: dict[str, StoredTensor] = {}
    end, before = 0, ""
    for name, (encoding, shape, start) in sorted(places.items(), key=lambda item: item[1][2]):
        size = _n_bytes(name, encoding, shape)
        if start < end:
            raise FormatError(f"arrays must not overlap; tensors {before!r} and {name!r} do")
        if start + size > len(data):
            raise FormatError(
                f"arrays must end inside the file; tensor {name!r} ends at byte {start + size} "
                f"of {len(data)} bytes of data"
            )
        tensors[name] = StoredTensor(name, encoding, shape, data[start : start + size])
        end, before = start + size, name
    return {name: tensors[name] for name in places}


def _check_regular(path: str | PathLike[str]) -> None:
    """Refuse what never ends or waits for a writer, before it is opened."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder is an OSError
        raise FormatError(f"a part of a model must be a regular file; got {str(path)!r}")


def _map(path: str | PathLike[str]) -> tuple[mmap.mmap, Bytes]:
    _check_regular(path)
    with Path(path).open("rb") as file:
        if Path(path).stat().st_size == 0:  # which cannot be mapped
            raise FormatError("a model file must have a header; got an empty file")
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapping, np.frombuffer(mapping, np.uint8)


# --- GGUF ------------------------------------------------------------------------------------

_GGUF_ENCODINGS = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 8: "Q8_0", 30: "BF16"}
_SCALARS = dict(enumerate("BbHhIifB")) | {10: "Q", 11: "q", 12: "d"}  # as in struct
_BOOL, _STRING, _ARRAY = 7, 8, 9
_MAX_NESTING = 4
_MAX_AXES = 4


class _Header:
    """Reads a GGUF header from its start; every count is checked against the bytes left."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.at = 0

    def need(self, count: int, size: int, what: str) -> None:
        left = len(self.data) - self.at
        if count * size > left:
            raise FormatError(
                f"a count must fit into the file; at byte {self.at}, {count} {what} of at least "
                f"{size} bytes were announced where {left} bytes are left"
            )

    def numbers(self, code: str, count: int = 1) -> tuple[Any, ...]:
        size = struct.calcsize("<" + code)
        self.need(count, size, "numbers")
        values = struct.unpack_from(f"<{count}{code}", self.data.data, self.at)
        self.at += count * size
        return values

    def number(self, code: str) -> Any:
        return self.numbers(code)[0]

    def string(self) -> str:
        return self.strings(1)[0]

    def strings(self, count: int) -> list[str]:
        # A vocabulary has a hundred thousand: the loop does nothing that it could do outside.
        self.need(count, 8, "strings")
        view, length_at, found = self.data.data, struct.Struct("<Q").unpack_from, []
        try:
            for _ in range(count):
                (length,) = length_at(view, self.at)
                end = self.at + 8 + length
                raw = view[self.at + 8 : end]
                if len(raw) < length:
                    break
                found.append(str(raw, "utf-8"))
                self.at = end
        except UnicodeDecodeError as error:
            raise FormatError(f"strings must be UTF-8; at byte {self.at}: {error}") from None
        except struct.error:  # not even the length is there
            self.need(1, 8, "strings")
        if len(found) < count:
            self.need(self.number("Q"), 1, "characters")
        return found

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array(1)
        return self.scalars(kind, 1)[0]

    def scalars(self, kind: int, count: int) -> list[Any]:
        if kind not in _SCALARS:
            raise FormatError(f"a value's type must be one of 0 to 12; got {kind}")
        values = list(self.numbers(_SCALARS[kind], count))
        if kind != _BOOL:
            return values
        if not set(values) <= {0, 1}:
            raise FormatError(f"a Boolean must be 0 or 1; got {max(values)}")
        return [value == 1 for value in values]

    def array(self, depth: int) -> list[Any]:
        if depth > _MAX_NESTING:
            raise FormatError(f"arrays must be nested at most {_MAX_NESTING} deep; got {depth}")
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            return self.strings(count)
        if kind == _ARRAY:
            self.need(count, 12, "arrays")
            return [self.array(depth + 1) for _ in range(count)]
        return self.scalars(kind, count)

    def metadata(self, count: int) -> dict[str, Any]:
        self.need(count, 13, "metadata entries")
        entries: dict[str, Any] = {}
        for _ in range(count):
            key = self.string()
            if key in entries:
                raise FormatError(f"metadata keys must be unique; got {key!r} twice")
            entries[key] = self.value(self.number("I"))
        return entries

    def places(self, count: int) -> dict[str, tuple[str, tuple[int, ...], int]]:
        self.need(count, 32, "tensors")
        places: dict[str, tuple[str, tuple[int, ...], int]] = {}
        for _ in range(count):
            name, n_axes = self.string(), self.number("I")
            if name in places:
                raise FormatError(f"tensor names must be unique; got {name!r} twice")
            if not 1 <= n_axes <= _MAX_AXES:
                raise FormatError(
                    f"a tensor must have 1 to {_MAX_AXES} axes; {name!r} has {n_axes}"
                )
            axes = self.numbers("Q", n_axes)
            kind, offset = self.number("I"), self.number("Q")
            if min(axes) < 1:
                raise FormatError(f"an axis must have a positive length; {name!r} has {axes}")
            if kind not in _GGUF_ENCODINGS:
                known = ", ".join(f"{k} ({v})" for k, v in _GGUF_ENCODINGS.items())
                raise FormatError(f"an encoding must be one of {known}; {name!r} has {kind}")
            # GGUF lists the contiguous axis first, NumPy lists it last.
            places[name] = (_GGUF_ENCODINGS[kind], tuple(reversed(axes)), offset)
        return places


def read_gguf(path: str | PathLike[str]) -> ModelFile:
    """Read a GGUF file, version 2 or 3.

    Parameters
    ----------
    path : str or path-like
        The file; it is mapped into memory and must not change while its tensors are in use.

    Returns
    -------
    ModelFile
        Metadata as Python numbers, strings and lists; tensors in the file's order.

    Raises
    ------
    FormatError
        If the file is not GGUF, is truncated or breaks another rule of the format.
    OSError
        If the file cannot be opened.

    Notes
    -----
    Implements :eq:`eq-gguf-start`.

    The time is that of the header; no weight is touched.

    References
    ----------
    GGUF specification, ``docs/gguf.md`` in the repository ggml-org/ggml.

    Examples
    --------
    >>> from primer_ref.formats import read_gguf
    >>> from primer_ref.llama import find_model
    >>> file = read_gguf(find_model())
    >>> embedding = file.tensors["token_embd.weight"]
    >>> file.metadata["general.architecture"], embedding.encoding, embedding.shape
    ('llama', 'Q8_0', (49152, 576))
    """
    mapping, data = _map(path)
    header = _Header(data)
    magic = bytes(data[:4])
    if magic != b"GGUF":
        raise FormatError(f"a GGUF file must start with b'GGUF'; got {magic!r}")
    header.at = 4
    version = header.number("I")
    if version not in (2, 3):
        hint = ", a big-endian file" if version in (2 << 24, 3 << 24) else ""
        raise FormatError(f"the version of GGUF must be 2 or 3; got {version}{hint}")
    n_tensors, n_entries = header.numbers("Q", 2)
    metadata = header.metadata(n_entries)
    places = header.places(n_tensors)

    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 8 or alignment % 8:
        raise FormatError(f"the alignment must be a positive multiple of 8; got {alignment!r}")
    for name, (_, _, offset) in places.items():
        if offset % alignment:
            raise FormatError(
                f"offsets must be multiples of the alignment {alignment}; {name!r} has {offset}"
            )
    start = -(-header.at // alignment) * alignment
    return ModelFile(metadata, _slice_tensors(places, data[start:]), mapping)


# --- JSON ------------------------------------------------------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for name, value in pairs:
        if name in entries:
            raise FormatError(f"names in an object must be unique; got {name!r:.60} twice")
        entries[name] = value
    return entries


def _parse(raw: bytes, what: str) -> dict[str, Any]:
    """Read an object of JSON, in which no name is lost to a later one that equals it."""
    try:
        content = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} must be JSON in UTF-8; {error}") from None
    if not isinstance(content, dict):
        raise FormatError(f"{what} must be a JSON object; got {type(content).__name__}")
    return content


def read_json(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a file that holds one object of JSON, as the settings beside a model do.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    dict
        What it holds.

    Raises
    ------
    FormatError
        If it is no regular file, not JSON in UTF-8, no object, or an object in it has two entries
        of one name, of which JSON would keep the last.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from primer_ref.formats import read_json
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "config.json")
    ...     size = path.write_text('{"hidden_size": 576, "hidden_size": 1}')
    ...     read_json(path)
    Traceback (most recent call last):
    ...
    primer_ref.formats.FormatError: config.json: names in an object must be unique; got ...
    """
    _check_regular(path)
    return _parse(Path(path).read_bytes(), Path(path).name)


# --- Safetensors -----------------------------------------------------------------------------


def _integers(name: str, field: str, numbers: Any, start: int) -> tuple[int, ...]:
    """Check a list in the entry of a tensor: at most as many as NumPy has axes, of 63 bits."""
    if not isinstance(numbers, list) or len(numbers) > 64:
        raise FormatError(f"{field} must be a list of at most 64 integers; that of {name!r} is not")
    if not all(type(n) is int and start <= n < 1 << 63 for n in numbers):
        raise FormatError(f"{field} must hold integers from {start} on; that of {name!r} does not")
    return tuple(numbers)


def _place(name: str, entry: Any) -> tuple[str, tuple[int, ...], int]:
    """Check the entry of a tensor in a safetensors header."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatError(
            f"a tensor must have a dtype, a shape and data_offsets; {name!r} has others"
        )
    if entry["dtype"] not in ("F32", "F16", "BF16"):
        found = entry["dtype"] if isinstance(entry["dtype"], str) else "no string"
        raise FormatError(f"an encoding must be F32, F16 or BF16; {name!r} has {found}")
    shape = _integers(name, "shape", entry["shape"], 1)
    offsets = _integers(name, "data_offsets", entry["data_offsets"], 0)
    n_bytes = _n_bytes(name, entry["dtype"], shape)
    if len(offsets) != 2 or offsets[1] - offsets[0] != n_bytes:
        raise FormatError(
            f"data_offsets must be the start and the end of the {n_bytes} bytes that shape and "
            f"dtype ask for; {name!r} has {offsets}"
        )
    return entry["dtype"], shape, offsets[0]


def read_safetensors(path: str | PathLike[str]) -> ModelFile:
    r"""Read a safetensors file whose arrays are F32, F16 or BF16.

    Parameters
    ----------
    path : str or path-like
        The file; it is mapped into memory and must not change while its tensors are in use.

    Returns
    -------
    ModelFile
        The header's ``__metadata__`` and the tensors, in the file's order.

    Raises
    ------
    FormatError
        If the file is truncated or breaks another rule of the format, or if an array has another
        type or no entries, which the format allows.
    OSError
        If the file cannot be opened.

    Notes
    -----
    Implements :eq:`eq-safetensors`: a file of :math:`8 + h + \sum_i n_i` bytes, with no gaps.

    References
    ----------
    Safetensors format, README of the repository huggingface/safetensors.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from primer_ref.formats import read_safetensors
    >>> entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    >>> header = json.dumps({"gain": entry}).encode()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "one.safetensors")
    ...     content = len(header).to_bytes(8, "little") + header + bytes.fromhex("0000803f")
    ...     size = path.write_bytes(content)
    ...     print(read_safetensors(path).tensors["gain"].decode())
    [1.]
    """
    mapping, data = _map(path)
    if len(data) < 8:
        raise FormatError(f"a header must have at least 8 bytes; got {len(data)}")
    length = int.from_bytes(bytes(data[:8]), "little")
    if length > len(data) - 8:
        raise FormatError(
            f"the header must end inside the file; {length} bytes were announced where "
            f"{len(data) - 8} are left"
        )
    header = _parse(bytes(data[8 : 8 + length]), "the header")
    if data[8] != ord("{"):
        raise FormatError(f"the header must begin with '{{'; got {chr(data[8])!r}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise FormatError(f"__metadata__ must be a JSON object; got {type(metadata).__name__}")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise FormatError(f"__metadata__ must hold strings; {key!r} has {type(value).__name__}")
    places = {name: _place(name, entry) for name, entry in header.items()}
    tensors = _slice_tensors(places, data[8 + length :])
    size = 8 + length + sum(tensor.raw.size for tensor in tensors.values())
    if size != len(data):  # arrays lie inside the file and do not overlap: this leaves gaps
        raise FormatError(
            f"header and arrays must fill the file; they have {size} bytes of {len(data)}"
        )
    return ModelFile(metadata, tensors, mapping)
