"""What the measures of rankings refuse."""

import numpy as np

from primer_ref.ranking import mean_reciprocal_rank, ndcg, recall_at_k, reciprocal_rank_fusion

ROWS = [
    (recall_at_k, {"ranking": [1, 1], "relevant": {1}, "k": 1}, "each passage once; got one twice"),
    (recall_at_k, {"ranking": [1], "relevant": set(), "k": 1}, "a relevant passage; got none"),
    (recall_at_k, {"ranking": [1], "relevant": {1}, "k": 0}, "k must be at least 1; got 0"),
    (mean_reciprocal_rank, {"rankings": [], "relevant": []}, "got 0 for 0"),
    (mean_reciprocal_rank, {"rankings": [[1]], "relevant": [{1}, {2}]}, "got 2 for 1"),
    (mean_reciprocal_rank, {"rankings": [[1, 1]], "relevant": [{1}]}, "got one twice"),
    (ndcg, {"ranking": [1], "gains": {1: 0.0}, "k": 1}, "one must be positive"),
    (ndcg, {"ranking": [1], "gains": {1: 1.0, 2: -1.0}, "k": 1}, "must not be negative"),
    (ndcg, {"ranking": [1], "gains": {1: np.nan}, "k": 1}, "must not be negative"),
    (ndcg, {"ranking": [1], "gains": {1: 1.0}, "k": 0}, "k must be at least 1; got 0"),
    (ndcg, {"ranking": [1, 1], "gains": {1: 1.0}, "k": 1}, "got one twice"),
    (reciprocal_rank_fusion, {"rankings": [[1]], "k": -1}, "k must not be negative; got -1"),
    (reciprocal_rank_fusion, {"rankings": [[1, 1]]}, "got one twice"),
]
