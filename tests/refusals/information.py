"""What entropies and perplexities refuse."""

import numpy as np

from primer_ref.information import bits_per_byte, perplexity, probabilities

ROWS = [
    (probabilities, {"p": [1, -0.5], "name": "shares"}, r"^shares must hold .*\[0, 1\]; got -0.5"),
    (probabilities, {"p": 1.5}, r"^p must hold probabilities in \[0, 1\]; got 1.5"),
    (probabilities, {"p": [0, np.nan]}, r"in \[0, 1\]; got nan"),
    (perplexity, {"log_probs": []}, "at least one value; got none"),
    (perplexity, {"log_probs": [-1, 0.5]}, "at most 0; got 0.5"),
    (perplexity, {"log_probs": [-1, np.nan]}, "at most 0; got nan"),
    (perplexity, {"log_probs": [-1, -1j]}, "must hold real numbers; got .* complex128"),
    (perplexity, {"log_probs": np.ma.masked_array([-1.0], [True])}, "got a masked one"),
    (bits_per_byte, {"log_probs": ["-1"], "n_bytes": 1}, "must hold real numbers; got .* <U2"),
    (bits_per_byte, {"log_probs": [-1], "n_bytes": 0}, "n_bytes must be at least 1; got 0"),
]
