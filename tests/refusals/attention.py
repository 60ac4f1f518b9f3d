"""What attention's scores refuse."""

import numpy as np

from primer_ref.attention import attention_weights, masked_scores

ONE = np.ones((1, 1))

ROWS = [
    (masked_scores, {"q": np.ones((2, 3)), "k": np.ones((2, 4))}, "one size; got 3 and 4"),
    (masked_scores, {"q": 1.0, "k": [[1.0]]}, r"must be rows; got shapes \(\) and \(1, 1\)"),
    (masked_scores, {"q": [[1.0]], "k": [1.0]}, r"must be rows; got shapes \(1, 1\) and \(1,\)"),
    (attention_weights, {"q": ONE, "k": ONE, "mask": ONE == 1}, "got truth values"),
]
