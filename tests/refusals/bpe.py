"""What the training of merges refuses, and its measures."""

from primer_ref.bpe import compression_ratio, fertility, train_bpe

ROWS = [
    (train_bpe, {"counts": {"ab": 0}, "n_merges": 1}, "at least 1; got 0 for 'ab'"),
    (train_bpe, {"counts": {"ab": 1.5}, "n_merges": 1}, "whole and at least 1; got 1.5"),
    (train_bpe, {"counts": {"ab": float("inf")}, "n_merges": 1}, "at least 1; got inf for 'ab'"),
    (train_bpe, {"counts": {"ab": 1}, "n_merges": -1}, "must not be negative; got -1"),
    (fertility, {"tokens": [1], "text": " \n"}, "at least one word; got ' "),
    (compression_ratio, {"tokens": [], "text": "a", "n_tokens": 2}, "got 0 and 2"),
    (compression_ratio, {"tokens": [1], "text": "a", "n_tokens": 1}, "got 1 and 1"),
]
