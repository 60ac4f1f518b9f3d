"""Which memories are refused."""

import numpy as np

from primer_ref.gated_recurrence import gated_linear_attention, gated_linear_attention_recurrent

ARRAYS = {"q": np.ones((2, 1)), "k": np.ones((2, 1)), "v": np.ones((2, 1))}

FORMS = (gated_linear_attention, gated_linear_attention_recurrent)

ROWS = [
    *(
        (form, ARRAYS | {"decay": [[0.5], [bad]]}, f"decay must lie above 0 .* got {low} to {high}")
        for form in FORMS
        for bad, low, high in ((0.0, 0.0, 0.5), (1.5, 0.5, 1.5), (np.nan, "nan", "nan"))
    ),
    *((form, ARRAYS | {"decay": 0.5}, "2 or more axes") for form in FORMS),
]
