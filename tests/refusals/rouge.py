"""What ROUGE refuses."""

from primer_ref.rouge import rouge_n

ROWS = [
    (rouge_n, {"candidate": ["a"], "reference": ["a"], "n": 0}, "n must be at least 1; got 0"),
]
