"""What the unigram model refuses."""

from primer_ref.subwords import unigram_loss, unigram_segmentation

ROWS = [
    (unigram_segmentation, {"word": "ab", "log_probs": {"a": -1.0}}, "the word; got 'ab'"),
    (unigram_segmentation, {"word": "a", "log_probs": {}}, "the word; got 'a'"),
    (unigram_loss, {"counts": {"b": 1}, "log_probs": {"a": -1.0}}, "the word; got 'b'"),
]
