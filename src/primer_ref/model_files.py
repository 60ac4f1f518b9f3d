"""Models of the Llama family as they are stored: one GGUF file, or a folder of safetensors.

Both hold the same arrays under other names, turned the other way round: a file keeps a matrix as
(rows out, columns in), and this book multiplies from the right. What they tell beside the arrays,
the sizes, the rotary frequencies and the tokenizer, stands in the metadata of the one and in the
JSON files of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from primer_ref.config import Config
from primer_ref.formats import FormatError, StoredTensor, read_gguf, read_json, read_safetensors
from primer_ref.positions import half_to_interleaved, rotary_frequencies
from primer_ref.rope_scaling import interpolate_positions, llama3_frequencies
from primer_ref.tokenizer import BPETokenizer
from primer_ref.transformer import Layer, Weights

__all__ = ["from_gguf", "from_safetensors"]

Floats = NDArray[np.floating[Any]]
Tensors = Mapping[str, StoredTensor]
Made = TypeVar("Made")
Parts = tuple[Config, Weights, BPETokenizer, Floats]

# Rotary frequencies beside the weights: factors of them, or what old files kept of them.
FREQUENCIES = ("rope_freqs.weight", "rotary_emb.inv_freq")

CHUNK = 1024  # rows that are decoded at once: few calls, and what they take stays in a cache

# Names of the arrays: in GGUF after "blk.0.", in safetensors after "model.layers.0.".
GGUF = {
    "embedding": "token_embd",
    "norm": "output_norm",
    "unembedding": "output",
    "layer": "blk",
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
SAFETENSORS = {
    "embedding": "model.embed_tokens",
    "norm": "model.norm",
    "unembedding": "lm_head",
    "layer": "model.layers",
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


# --- Weights ---------------------------------------------------------------------------------


def _take(tensors: Tensors, name: str, shape: tuple[int, ...]) -> StoredTensor:
    """Find an array that must be there and have this shape."""
    if name not in tensors or tensors[name].shape != shape:
        found = tensors[name].shape if name in tensors else "none"
        raise FormatError(f"the model must have a {name} of shape {shape}; got {found}")
    return tensors[name]


def _finite(tensor: StoredTensor) -> Floats:
    """Decode an array of weights, among which one that is not finite would spoil all results."""
    values = tensor.decode()
    finite = np.isfinite(values)
    if not finite.all():
        raise FormatError(f"weights must be finite; {tensor.name} has {values[~finite][0]}")
    return values


def _table(tensors: Sequence[StoredTensor]) -> Floats:
    """Decode matrices, one below the other, so that the longer axis is contiguous.

    A product with one vector reads memory; it does so fastest along long rows.
    """
    n_rows, n_columns = sum(tensor.shape[0] for tensor in tensors), tensors[0].shape[1]
    table: Floats = np.empty((n_rows, n_columns), np.float32, "F" if n_rows > n_columns else "C")
    at = 0
    for tensor in tensors:
        for start in range(0, tensor.shape[0], CHUNK):
            rows = _finite(tensor.rows(start, min(start + CHUNK, tensor.shape[0])))
            table[at : at + len(rows)] = rows
            at += len(rows)
    return table


def _weights(
    config: Config,
    tensors: Tensors,
    names: Mapping[str, str],
    *,
    half_split: bool,
    meanwhile: Callable[[], BPETokenizer],
    release: Callable[[], None],
) -> tuple[Weights, BPETokenizer]:
    """Decode all arrays on all cores; NumPy does so outside the interpreter's lock."""
    width, inner = config.width, config.n_heads * config.head_size
    kv, hidden = config.n_kv_heads * config.head_size, config.hidden
    shapes: dict[str, tuple[int, ...]] = {
        "attention_norm": (width,),
        "q": (inner, width),
        "k": (kv, width),
        "v": (kv, width),
        "output": (width, inner),
        "hidden_norm": (width,),
        "gate": (hidden, width),
        "up": (hidden, width),
        "down": (width, hidden),
    }

    def find(number: int) -> dict[str, StoredTensor]:
        at = f"{names['layer']}.{number}"
        return {
            part: _take(tensors, f"{at}.{names[part]}.weight", shape)
            for part, shape in shapes.items()
        }

    def decode(part: Mapping[str, StoredTensor]) -> Layer:
        qkv = _table([part["q"], part["k"], part["v"]])
        if half_split:
            turned = qkv[: inner + kv]  # queries and keys
            turned[:] = half_to_interleaved(turned.T, head_size=config.head_size).T
        layer = Layer(
            attention_norm=_finite(part["attention_norm"]),
            qkv=qkv.T,
            output=_table([part["output"]]).T,
            hidden_norm=_finite(part["hidden_norm"]),
            gate_up=_table([part["gate"], part["up"]]).T,
            down=_table([part["down"]]).T,
        )
        release()  # or the file would lie in memory beside what was made of it
        return layer

    rows = [names["embedding"]]
    if f"{names['unembedding']}.weight" in tensors:
        rows.append(names["unembedding"])
    # Everything is found before anything is decoded: what is announced costs nothing by itself.
    outer = [_take(tensors, f"{name}.weight", (config.n_tokens, width)) for name in rows]
    norm = _take(tensors, f"{names['norm']}.weight", (width,))
    inside = [find(number) for number in range(config.n_layers)]
    used = {tensor.name for tensor in chain(outer, [norm], *(part.values() for part in inside))}
    others = sorted(n for n in tensors.keys() - used if not n.endswith(FREQUENCIES))
    if others:  # biases, more layers: what is left out makes another model
        raise FormatError(f"a model of this family has no other arrays; got {others[0]!r}")
    with ThreadPoolExecutor() as pool:
        tables = [pool.submit(_table, [tensor]) for tensor in outer]
        layers = pool.map(decode, inside)
        tokenizer = _as_format_error(meanwhile)
        weights = Weights(
            tables[0].result(),
            tuple(layers),
            _finite(norm),
            tables[1].result() if len(tables) > 1 else None,
        )
    if len(tokenizer.tokens) > config.n_tokens:
        raise FormatError(
            f"every token must have a row in the embedding; got {len(tokenizer.tokens)} tokens "
            f"and {config.n_tokens} rows"
        )
    return weights, tokenizer


def _sizes(sizes: Mapping[str, Any], types: Mapping[str, tuple[str, type[Any]]]) -> dict[str, Any]:
    """Look sizes up under their names in the file, each of its type."""
    found: dict[str, Any] = {}
    for name, (key, kind) in types.items():
        value: Any = sizes.get(key)
        if type(value) is not kind:
            raise FormatError(f"{key} must be of type {kind.__name__}; got {value!r:.60}")
        if not abs(value) < 2**63:
            raise FormatError(f"{key} must be below 2^63; got {value!r:.60}")
        found[name] = value
    return found


# --- GGUF ------------------------------------------------------------------------------------


def from_gguf(path: str | PathLike[str]) -> Parts:
    """Load a model of the Llama family from a GGUF file.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    tuple
        Sizes, weights in float32, tokenizer, and rotary frequencies in radians a position,
        shape (D / 2,).

    Raises
    ------
    FormatError
        If the file is damaged, or holds a model of another kind.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from primer_ref.llama import find_model
    >>> from primer_ref.model_files import from_gguf
    >>> config, weights, tokenizer, frequencies = from_gguf(find_model())
    >>> config.n_layers, weights.embedding.shape, frequencies.shape
    (30, (49152, 576), (32,))
    """
    file = read_gguf(path)
    kind = file.metadata.get("general.architecture")
    if kind != "llama":
        raise FormatError(f"the model must be of the architecture 'llama'; got {kind!r:.60}")
    config, tensors = _gguf_config(file.metadata), file.tensors
    weights, tokenizer = _weights(
        config,
        tensors,
        GGUF,
        half_split=False,
        meanwhile=lambda: BPETokenizer.from_gguf(file.metadata),
        release=file.release,
    )
    frequencies: Floats = rotary_frequencies(config.head_size, base=config.rope_base)
    if "rope_freqs.weight" in tensors:  # Llama 3.1: how much slower each pair turns
        slower = _finite(_take(tensors, "rope_freqs.weight", frequencies.shape))
        if not np.all(slower > 0):
            raise FormatError(f"rope_freqs.weight must be positive; got {slower.min()}")
        frequencies = frequencies / slower
    scaling = file.metadata.get("llama.rope.scaling.type", "none")
    if scaling == "linear":
        factor = _sizes(file.metadata, {"factor": ("llama.rope.scaling.factor", float)})["factor"]
        frequencies = _as_format_error(lambda: interpolate_positions(frequencies, factor=factor))
    elif scaling != "none":
        raise FormatError(f"rope scaling must be 'none' or 'linear'; got {scaling!r:.60}")
    return config, weights, tokenizer, frequencies


def _gguf_config(metadata: Mapping[str, Any]) -> Config:
    optional = {"llama.rope.freq_base": 10000.0}
    heads, size = (metadata.get(f"llama.{k}") for k in ("attention.head_count", "embedding_length"))
    if type(heads) is int and type(size) is int and heads > 0:
        optional |= {
            "llama.attention.head_count_kv": heads,
            "llama.rope.dimension_count": size // heads,
            "llama.attention.key_length": size // heads,
        }
    tokens = metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, list):
        optional["llama.vocab_size"] = len(tokens)
    given = {**optional, **metadata}
    known = _sizes(
        given,
        {
            "n_layers": ("llama.block_count", int),
            "width": ("llama.embedding_length", int),
            "n_heads": ("llama.attention.head_count", int),
            "n_kv_heads": ("llama.attention.head_count_kv", int),
            "head_size": ("llama.attention.key_length", int),
            "hidden": ("llama.feed_forward_length", int),
            "n_tokens": ("llama.vocab_size", int),
            "context": ("llama.context_length", int),
            "rope_base": ("llama.rope.freq_base", float),
            "eps": ("llama.attention.layer_norm_rms_epsilon", float),
        },
    )
    turned = _sizes(given, {"turned": ("llama.rope.dimension_count", int)})["turned"]
    if turned != known["head_size"]:
        raise FormatError(
            f"all of a head must be turned; got {turned} of {known['head_size']} coordinates"
        )
    return _as_format_error(lambda: Config(**known))


def _as_format_error(make: Callable[[], Made]) -> Made:
    """Make something of what a file says; a rule that is broken is the file's error."""
    try:
        return make()
    except ValueError as error:
        raise FormatError(str(error)) from None


# --- Safetensors -----------------------------------------------------------------------------


def from_safetensors(path: str | PathLike[str]) -> Parts:
    """Load a model of the Llama family from a folder in the layout of transformers.

    Parameters
    ----------
    path : str or path-like
        A folder with ``config.json``, ``tokenizer.json``, and ``model.safetensors`` or, where that
        is cut in pieces, ``model.safetensors.index.json`` and the pieces.

    Returns
    -------
    tuple
        Sizes, weights in float32, tokenizer, and rotary frequencies in radians a position,
        shape (D / 2,).

    Raises
    ------
    FormatError
        If a file is damaged, or the model is of another kind.
    OSError
        If a file cannot be opened.

    Notes
    -----
    These files pair coordinate i of a head with coordinate i + D/2; queries and keys are rearranged
    into the interleaved pairs of this book while they are loaded.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from primer_ref.model_files import from_safetensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = Path(folder, "config.json").write_text('{"model_type": "gpt2"}')
    ...     from_safetensors(folder)
    Traceback (most recent call last):
    ...
    primer_ref.formats.FormatError: model_type must be 'llama'; got 'gpt2'
    """
    folder = Path(path)
    sizes = read_json(folder / "config.json")
    if sizes.get("model_type") != "llama":
        raise FormatError(f"model_type must be 'llama'; got {sizes.get('model_type')!r:.60}")
    if sizes.get("hidden_act", "silu") != "silu":
        raise FormatError(f"hidden_act must be 'silu'; got {sizes['hidden_act']!r:.60}")
    rope = sizes.get("rope_parameters") or sizes.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise FormatError(f"rope_scaling must be an object; got {rope!r:.60}")
    tied = _sizes(
        {"tie_word_embeddings": False} | _given(sizes), {"tied": ("tie_word_embeddings", bool)}
    )["tied"]
    config = _json_config(sizes, rope)
    tensors: dict[str, StoredTensor] = {}
    files = [read_safetensors(folder / name) for name in _pieces(folder)]
    for file in files:
        if twice := sorted(tensors.keys() & file.tensors.keys()):
            raise FormatError(f"tensor names must be unique; got {twice[0]!r} in two files")
        tensors |= file.tensors
    if tied:
        tensors.pop("lm_head.weight", None)
    elif sizes.get("tie_word_embeddings") is False and "lm_head.weight" not in tensors:
        raise FormatError("a model whose table is not shared must have lm_head.weight; got none")

    def release() -> None:
        for file in files:
            file.release()

    weights, tokenizer = _weights(
        config,
        tensors,
        SAFETENSORS,
        half_split=True,
        meanwhile=lambda: BPETokenizer.from_json(read_json(folder / "tokenizer.json")),
        release=release,
    )
    return config, weights, tokenizer, _json_frequencies(config, rope)


def _pieces(folder: Path) -> list[str]:
    """Names of the files that hold the arrays, which must lie in the folder itself."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return ["model.safetensors"]
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise FormatError(f"{index.name} must have a weight_map from names to files")
    names = sorted(set(places.values()))
    for name in names:
        if Path(name).name != name or name in ("", "..") or not name.isprintable():
            raise FormatError(f"a piece must lie beside its index; got {name!r:.60}")
    return names


def _given(sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what JSON gives as null, as if it were not there."""
    return {key: value for key, value in sizes.items() if value is not None}


def _json_config(sizes: Mapping[str, Any], rope: Mapping[str, Any]) -> Config:
    heads, width = sizes.get("num_attention_heads"), sizes.get("hidden_size")
    optional: dict[str, Any] = {"rope_theta": 10000.0}
    if type(heads) is int and type(width) is int and heads > 0:
        optional |= {"num_key_value_heads": heads, "head_dim": width // heads}
    given = _given(sizes)
    if "rope_theta" in rope:
        given["rope_theta"] = rope["rope_theta"]
    for key in ("rope_theta", "rms_norm_eps"):
        value = given.get(key)
        if type(value) is int and abs(value) < 2**63:  # JSON writes 10000.0 as 10000
            given[key] = float(value)
    known = _sizes(
        {**optional, **given},
        {
            "n_layers": ("num_hidden_layers", int),
            "width": ("hidden_size", int),
            "n_heads": ("num_attention_heads", int),
            "n_kv_heads": ("num_key_value_heads", int),
            "head_size": ("head_dim", int),
            "hidden": ("intermediate_size", int),
            "n_tokens": ("vocab_size", int),
            "context": ("max_position_embeddings", int),
            "rope_base": ("rope_theta", float),
            "eps": ("rms_norm_eps", float),
        },
    )
    return _as_format_error(lambda: Config(**known))


def _json_frequencies(config: Config, rope: Mapping[str, Any]) -> Floats:
    frequencies = rotary_frequencies(config.head_size, base=config.rope_base)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return frequencies
    keys = {
        "linear": ("factor",),
        "llama3": (
            "factor",
            "original_max_position_embeddings",
            "low_freq_factor",
            "high_freq_factor",
        ),
    }
    if not isinstance(kind, str) or kind not in keys:
        raise FormatError(f"rope scaling must be 'default', 'linear' or 'llama3'; got {kind!r:.60}")
    values: list[float] = []
    for key in keys[kind]:
        value = rope.get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise FormatError(f"{key} must be a number; got {value!r:.60}")
        if not abs(value) < 2**63:
            raise FormatError(f"{key} must be below 2^63; got {value!r:.60}")
        values.append(value)
    if kind == "linear":
        scaled = _as_format_error(lambda: interpolate_positions(frequencies, factor=values[0]))
    else:
        factor, context, low, high = values
        scaled = _as_format_error(
            lambda: llama3_frequencies(
                frequencies, factor=factor, context=context, slow=low, fast=high
            )
        )
    return scaled
