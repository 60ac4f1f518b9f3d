"""What word vectors refuse."""

import numpy as np

from primer_ref.embeddings import (
    analogy,
    cosine_similarity,
    embedding_gradient,
    mean_cosine,
    nearest_neighbors,
    truncated_svd,
)

VECTORS = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.5]]

ROWS = [
    (truncated_svd, {"matrix": [1.0], "width": 1}, r"finite table; got shape \(1,\)"),
    (truncated_svd, {"matrix": [[np.inf]], "width": 1}, "must be a finite table"),
    (truncated_svd, {"matrix": VECTORS, "width": 3}, "between 1 and 2; got 3"),
    (truncated_svd, {"matrix": VECTORS, "width": 0}, "between 1 and 2; got 0"),
    (cosine_similarity, {"a": [[0.0, 0.0]], "b": VECTORS}, "must have a direction"),
    (cosine_similarity, {"a": VECTORS, "b": [[np.nan, 1.0]]}, "must have a direction"),
    (cosine_similarity, {"a": [[np.inf, 1.0]], "b": VECTORS}, "must have a direction"),
    (mean_cosine, {"vectors": [[1.0, 2.0]]}, r"at least two rows; got shape \(1, 2\)"),
    (mean_cosine, {"vectors": [1.0, 2.0]}, r"at least two rows; got shape \(2,\)"),
    (nearest_neighbors, {"vectors": VECTORS, "word": 4, "n_neighbors": 1}, "0 to 3; got 4"),
    (nearest_neighbors, {"vectors": VECTORS, "word": 0, "n_neighbors": 4}, "got 4 of 3"),
    (nearest_neighbors, {"vectors": VECTORS, "word": 0, "n_neighbors": 0}, "got 0 of 3"),
    (analogy, {"vectors": VECTORS, "a": 0, "b": -1, "c": 2, "n_neighbors": 1}, "got -1"),
    (analogy, {"vectors": VECTORS, "a": 0, "b": 1, "c": 2, "n_neighbors": 2}, "got 2 of 1"),
    (
        embedding_gradient,
        {"tokens": [0, 1], "d_out": [[1.0]], "n_symbols": 2},
        r"got shapes \(1, 1\) and \(2,\)",
    ),
    (embedding_gradient, {"tokens": [2], "d_out": [[1.0]], "n_symbols": 2}, "0 to 1; got 2"),
]
