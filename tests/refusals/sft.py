"""What supervised fine-tuning refuses."""

import numpy as np

from primer_ref.sft import sft_loss, sft_loss_by_sequence

BATCH = {"logits": np.zeros((1, 3, 2)), "tokens": [[0, 1, 1]], "answer": [[False, False, True]]}
NONE = [[False, False, False]]

ROWS = [
    (sft_loss, BATCH | {"tokens": [[0, 1]]}, r"got shapes \(1, 3, 2\), \(1, 2\) and \(1, 3\)"),
    (sft_loss, BATCH | {"answer": [False, False, True]}, r"\(1, 3\) and \(3,\)"),
    (sft_loss, BATCH | {"answer": [[0, 0, 1]]}, "answer must hold truth values; got int64"),
    (sft_loss, BATCH | {"answer": [[True, False, True]]}, "the first token has nothing before it"),
    (sft_loss, BATCH | {"answer": NONE}, "at least one token"),
    (sft_loss, BATCH | {"tokens": [[0, 1, 2]]}, "targets must be from 0 to 1; got 1 to 2"),
    (sft_loss_by_sequence, BATCH | {"answer": NONE}, "every row must have an answer"),
    (sft_loss_by_sequence, BATCH | {"answer": [[True, False, True]]}, "the first token has noth"),
]
