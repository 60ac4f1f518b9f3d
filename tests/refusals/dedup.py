"""What the search for near-duplicates refuses."""

import numpy as np

from primer_ref.dedup import (
    band_curve,
    choose_bands,
    estimate_jaccard,
    jaccard,
    lsh_bands,
    minhash_signature,
    shingles,
)

ROWS = [
    (shingles, {"words": "abc", "size": 0}, "size must be at least 1; got 0"),
    (jaccard, {"a": set(), "b": []}, "got two empty ones"),
    (
        minhash_signature,
        {"items": set(), "hashes": np.ones((2, 3), np.uint64)},
        "at least one item; got none",
    ),
    (estimate_jaccard, {"a": np.zeros(2), "b": np.zeros(3)}, r"got \(2,\) and \(3,\)"),
    (estimate_jaccard, {"a": np.zeros(0), "b": np.zeros(0)}, r"got \(0,\) and \(0,\)"),
    (band_curve, {"similarity": 1.1, "bands": 2, "rows": 2}, r"in \[0, 1\]; got 1.1"),
    (band_curve, {"similarity": np.nan, "bands": 2, "rows": 2}, "^similarity must"),
    (band_curve, {"similarity": 0.5, "bands": 0, "rows": 2}, "got 0 and 2"),
    (choose_bands, {"n_hashes": 0, "threshold": 0.5}, "got 0 and 0.5"),
    (choose_bands, {"n_hashes": 8, "threshold": 1}, "got 8 and 1"),
    (lsh_bands, {"signatures": [1, 2], "n_bands": 1}, r"got shape \(2,\) and 1"),
    (lsh_bands, {"signatures": [[1, 2, 3]], "n_bands": 2}, r"got shape \(1, 3\) and 2"),
    (lsh_bands, {"signatures": [[1, 2, 3]], "n_bands": 0}, "and 0"),
    (band_curve, {"similarity": 0.5 + 1j, "bands": 2, "rows": 2}, "must hold real numbers"),
]
