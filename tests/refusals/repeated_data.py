"""What the worth of repeated data refuses."""

from math import nan

from primer_ref.repeated_data import MUENNIGHOFF, data_constrained_loss, effective_tokens

RUN = {"n_parameters": 1, "n_tokens": 1, "unique_tokens": 1, "law": MUENNIGHOFF}

ROWS = [
    (effective_tokens, {"unique_tokens": 0, "n_tokens": 1}, "unique_tokens must be pos.* got 0"),
    (effective_tokens, {"unique_tokens": 1, "n_tokens": nan}, "n_tokens must be pos.* got nan"),
    (effective_tokens, {"unique_tokens": 1, "n_tokens": 1, "decay": 0}, "decay must be positive"),
    (data_constrained_loss, RUN | {"n_parameters": 0}, "n_parameters must be positive; got 0"),
    (data_constrained_loss, RUN | {"n_tokens": nan}, "n_tokens must be positive; got nan"),
    (data_constrained_loss, RUN | {"unique_tokens": -1}, "unique_tokens must be pos.* got -1"),
    (data_constrained_loss, RUN | {"parameter_decay": 0}, "parameter_decay must be positive"),
    (data_constrained_loss, RUN | {"token_decay": nan}, "token_decay must be pos.* got nan"),
]
