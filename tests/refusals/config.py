"""Which sizes a decoder refuses."""

from primer_ref.config import Config

SIZES = {
    "n_layers": 1,
    "width": 8,
    "n_heads": 4,
    "n_kv_heads": 2,
    "head_size": 2,
    "hidden": 8,
    "n_tokens": 9,
    "context": 5,
}

ROWS = [
    (Config, SIZES | {"n_layers": 0}, "n_layers must be positive and finite; got 0"),
    (Config, SIZES | {"hidden": -1}, "hidden must be positive and finite; got -1"),
    (Config, SIZES | {"width": 0}, "width must be positive and finite; got 0"),
    (Config, SIZES | {"eps": float("nan")}, "eps must be positive and finite; got nan"),
    (Config, SIZES | {"rope_base": float("nan")}, "rope_base must be positive and finite; got nan"),
    (Config, SIZES | {"rope_base": float("inf")}, "rope_base must be positive and finite; got inf"),
    (Config, SIZES | {"eps": 1j}, "eps must be a number; got 1j"),
    (Config, SIZES | {"width": 8.0}, "width must be a whole number; got 8.0"),
    (Config, SIZES | {"n_layers": True}, "n_layers must be a whole number; got True"),
    (Config, SIZES | {"context": "5"}, "context must be a whole number; got '5'"),
    (Config, SIZES | {"n_kv_heads": 3}, "n_heads must be a multiple of n_kv_heads.* got 4 and 3"),
    (Config, SIZES | {"head_size": 3}, "head_size must be even.* got 3"),
]
