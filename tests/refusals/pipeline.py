"""What a running pipeline refuses."""

import numpy as np

from primer_ref.pipeline import run_schedule
from primer_ref.pipeline_schedules import Task, gpipe_schedule

TIMES = {"forward": 1.0, "backward": 2.0}
ONE = gpipe_schedule(1, 1)
STUCK = [[Task(0, 0, True), Task(0, 0)]]

ROWS = [
    (run_schedule, TIMES | {"schedule": ONE, "forward": 0.0}, "times must be positive; got 0.0"),
    (run_schedule, TIMES | {"schedule": ONE, "backward": 0.0}, "positive; got 1.0 and 0.0"),
    (run_schedule, TIMES | {"schedule": ONE, "backward": np.nan}, "positive; got 1.0 and nan"),
    (run_schedule, TIMES | {"schedule": STUCK}, "devices wait for one another"),
]
