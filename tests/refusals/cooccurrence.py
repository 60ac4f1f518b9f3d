"""What counts of neighbors and their information refuse."""

import numpy as np

from primer_ref.cooccurrence import (
    cooccurrence_counts,
    negative_sampling_objective,
    pmi,
    ppmi,
)

SCORES = np.zeros((2, 2))

ROWS = [
    (cooccurrence_counts, {"sequences": [[0]], "n_symbols": 2, "window": 0}, "at least 1; got 0"),
    (cooccurrence_counts, {"sequences": [[2]], "n_symbols": 2, "window": 1}, "0 to 1; got 2"),
    (cooccurrence_counts, {"sequences": [[0.5]], "n_symbols": 2, "window": 1}, "0 to 1; got 0.5"),
    (pmi, {"counts": [1, 2]}, r"got shape \(2,\)"),
    (pmi, {"counts": [[1, -2]]}, "at least 0; got -2"),
    (pmi, {"counts": [[1, np.nan]]}, "at least 0; got nan"),
    (pmi, {"counts": [[1, 0], [2, 0]]}, "must have been seen at least once"),
    (pmi, {"counts": [[0, 0], [2, 1]]}, "must have been seen at least once"),
    (pmi, {"counts": [[1]], "alpha": 0}, "alpha must be positive and finite; got 0"),
    (pmi, {"counts": [[1]], "alpha": np.inf}, "alpha must be positive and finite; got inf"),
    (ppmi, {"counts": [[1]], "n_negative": np.nan}, "n_negative must be positive; got nan"),
    (
        negative_sampling_objective,
        {"scores": SCORES, "counts": [[1, 2]], "n_negative": 1},
        r"got shapes \(2, 2\) and \(1, 2\)",
    ),
    (
        negative_sampling_objective,
        {"scores": SCORES - np.inf, "counts": SCORES + 1, "n_negative": 1},
        "scores must be finite",
    ),
    (
        negative_sampling_objective,
        {"scores": SCORES, "counts": SCORES + 1, "n_negative": 0},
        "n_negative must be positive; got 0",
    ),
    (pmi, {"counts": [[1j]]}, "must hold real numbers; got entries of type complex128"),
    (ppmi, {"counts": np.ma.masked_array([[1, 2]], [[True, False]])}, "got a masked one"),
    (ppmi, {"counts": [["1"]]}, "must hold real numbers; got entries of type <U1"),
]
