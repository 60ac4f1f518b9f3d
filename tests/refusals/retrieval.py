"""What retrieval refuses."""

import numpy as np

from primer_ref.retrieval import bm25_index, rag_sequence_log_prob, rag_token_log_prob

ROWS = [
    (bm25_index, {"documents": []}, "a passage with a word; got none"),
    (bm25_index, {"documents": [[], []]}, "a passage with a word; got none"),
    (bm25_index, {"documents": [["a"]], "k1": -1}, "got -1 and 0.75"),
    (bm25_index, {"documents": [["a"]], "b": 1.5}, "got 1.2 and 1.5"),
    (
        rag_sequence_log_prob,
        {"log_prior": np.zeros(2), "log_probs": np.zeros((3, 4))},
        r"got shapes \(3, 4\) and \(2,\)",
    ),
    (
        rag_sequence_log_prob,
        {"log_prior": np.zeros(2), "log_probs": np.zeros((2, 4))},
        "must sum to at most 1",
    ),
    (
        rag_token_log_prob,
        {"log_prior": [np.nan], "log_probs": [[0.0]]},
        "must sum to at most 1",
    ),
    (rag_token_log_prob, {"log_prior": 0.0, "log_probs": [0.0]}, r"got shapes \(1,\) and \(\)"),
]
