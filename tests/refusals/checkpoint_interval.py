"""What checkpoint intervals refuse."""

import numpy as np

from primer_ref.checkpoint_interval import (
    checkpoint_overhead,
    checkpointed_goodput,
    daly_interval,
    young_interval,
)

CHECKPOINT = {"interval": 1.0, "checkpoint_time": 1.0, "mtbf": 9.0}

ROWS = [
    (checkpoint_overhead, CHECKPOINT | {"interval": 0.0}, "interval must be positive.* got 0"),
    (checkpoint_overhead, CHECKPOINT | {"checkpoint_time": -1}, "checkpoint_time must be.* got -1"),
    (young_interval, {"checkpoint_time": 0.0, "mtbf": 1.0}, "checkpoint_time must be positive"),
    (daly_interval, {"checkpoint_time": 1.0, "mtbf": np.nan}, "mtbf must be positive.* got nan"),
    (checkpointed_goodput, CHECKPOINT | {"mtbf": 0}, "mtbf must be positive and finite; got 0"),
    (checkpointed_goodput, CHECKPOINT | {"down_time": -2}, "down_time must be.* got -2"),
]
