"""What the measures of translations refuse."""

from primer_ref.metrics import bleu, chrf, modified_precision, sentence_bleu

ROWS = [
    (modified_precision, {"candidate": ["a"], "references": [], "n": 1}, "at least one reference"),
    (modified_precision, {"candidate": ["a"], "references": [["a"]], "n": 0}, "at least 1; got 0"),
    (bleu, {"candidates": [], "references": []}, "got 0 for 0"),
    (bleu, {"candidates": [["a"]], "references": [[["a"]], [["b"]]]}, "got 2 for 1"),
    (bleu, {"candidates": [["a"]], "references": [[]]}, "for each candidate; got none"),
    (bleu, {"candidates": [["a"]], "references": [[["a"]]], "max_order": 0}, "at least 1; got 0"),
    (sentence_bleu, {"candidate": ["a"], "references": []}, "for each candidate; got none"),
    (sentence_bleu, {"candidate": ["a"], "references": [["a"]], "max_order": 0}, "1; got 0"),
    (chrf, {"candidates": ["a"], "references": [[]]}, "for each candidate; got none"),
    (chrf, {"candidates": ["a"], "references": [["a"]], "max_order": 0}, "got 0 and 2.0"),
    (chrf, {"candidates": ["a"], "references": [["a"]], "beta": 0}, "got 6 and 0"),
]
