"""What the estimators of a divergence refuse."""

import numpy as np

from primer_ref.kl_estimators import kl_k1, kl_k2, kl_k3, log_ratio

ROWS = [
    (log_ratio, {"log_p": [-1, -2], "log_q": [-1]}, r"got shapes \(2,\) and \(1,\)"),
    (log_ratio, {"log_p": [], "log_q": []}, r"some samples; got shapes \(0,\) and \(0,\)"),
    (log_ratio, {"log_p": [-1, 0.5], "log_q": [-1, -1]}, "got 0.5: is it a probability?"),
    (log_ratio, {"log_p": [-1], "log_q": [-np.inf]}, "finite and at most 0; got -inf"),
    (kl_k1, {"log_policy": [0.4], "log_reference": [0.6]}, "got 0.4: is it a probability?"),
    (kl_k2, {"log_policy": [np.nan], "log_reference": [-1]}, "got nan"),
    (kl_k3, {"log_policy": [-1], "log_reference": [0.1]}, "got 0.1: is it a probability?"),
]
