"""What network times refuse."""

import numpy as np

from primer_ref.collectives import broadcast
from primer_ref.network import ring_all_reduce_time, transfer_time

ONE = np.zeros(1)
LINK = {"latency": 1.0, "bandwidth": 1.0}

ROWS = [
    (transfer_time, LINK | {"transfer": broadcast(ONE, 1), "latency": -1}, "got -1 and 1.0"),
    (transfer_time, LINK | {"transfer": broadcast(ONE, 1), "bandwidth": 0}, "got 1.0 and 0"),
    (ring_all_reduce_time, LINK | {"n_bytes": 1, "n_devices": 0}, "got 0 and 1"),
    (ring_all_reduce_time, LINK | {"n_bytes": np.nan, "n_devices": 2}, "got 2 and nan"),
    (ring_all_reduce_time, {"n_bytes": 1, "n_devices": 2, **LINK, "bandwidth": -1}, "1.0 and -1"),
]
