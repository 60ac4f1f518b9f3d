"""Which latent layers are refused."""

import numpy as np

from primer_ref.latent_attention import latent_attention, latent_attention_absorbed

WEIGHTS = {
    "x": np.ones((3, 4)),
    "w_q": np.ones((4, 4)),
    "w_down": np.ones((4, 2)),
    "w_up": (np.ones((2, 4)), np.ones((2, 4))),
    "w_o": np.ones((4, 4)),
    "n_heads": 3,
}

ROWS = [
    (latent_attention, WEIGHTS, "width must be a multiple of n_heads; got 4 and 3"),
    (latent_attention_absorbed, WEIGHTS, "width must be a multiple of n_heads; got 4 and 3"),
]
