"""Which scores and sizes are refused."""

import numpy as np

from primer_ref.online_softmax import online_softmax, partial_attention

ROWS = [
    (partial_attention, {"q": [[1.0]], "k": [[1.0, 2.0]], "v": [[1.0]]}, "one size; got 1 and 2"),
    (partial_attention, {"q": [[np.nan]], "k": [[1.0]], "v": [[1.0]]}, r"below \+∞; got nan"),
    (partial_attention, {"q": [[np.inf]], "k": [[1.0]], "v": [[1.0]]}, r"below \+∞; got inf"),
    (online_softmax, {"s": []}, r"at least one score; got shape \(0,\)"),
    (online_softmax, {"s": 1.0}, r"at least one score; got shape \(\)"),
    (online_softmax, {"s": [1.0, np.nan]}, "finite largest score .* got nan"),
    (online_softmax, {"s": [[1.0], [-np.inf]]}, "finite largest score .* got -inf"),
]
