"""The measures of a worker's requests: how they ended, and how long each of their stages took.

They are plain arrays of numbers in the scoreboard's row; metrics.py shows them to Prometheus.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Sequence

from azureml_scoring.errors import ClientError, ScoringError, ServiceError

STAGES = ("request", "read", "validate", "queue", "predict", "cache", "serialise")
"""``request`` is the whole of a request that was answered: refusals are quick and would hide slow
answers. A stage that a request does not have is not counted."""

REQUEST, READ, VALIDATE, QUEUE, PREDICT, CACHE, SERIALISE = range(len(STAGES))

BUCKET_BOUNDS_S = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds; 0.2 and 0.5 are the SLO's."""

BUCKETS_PER_STAGE = len(BUCKET_BOUNDS_S) + 1
"""The last bucket holds what is beyond all bounds."""


def _codes(error: type[ScoringError]) -> list[str]:
    own = [error.code] if "code" in vars(error) else []
    return own + [code for kind in error.__subclasses__() for code in _codes(kind)]


OK = "ok"
CLIENT_ERROR_CODES, SERVICE_ERROR_CODES = _codes(ClientError), _codes(ServiceError)
OUTCOMES = (OK, *CLIENT_ERROR_CODES, *SERVICE_ERROR_CODES)
_CLIENT_ERRORS = slice(1, 1 + len(CLIENT_ERROR_CODES))
_SERVICE_ERRORS = slice(1 + len(CLIENT_ERROR_CODES), None)

# Measures are one block of numbers of 8 bytes:
#   rows | a count for each outcome | BUCKETS_PER_STAGE counts for each stage | a sum for each stage
_ROWS = 0
_INDEX_OF = {outcome: 1 + index for index, outcome in enumerate(OUTCOMES)}
_FIRST_BUCKET_OF = [1 + len(OUTCOMES) + stage * BUCKETS_PER_STAGE for stage, _ in enumerate(STAGES)]
_SECONDS_BYTES = len(STAGES) * ctypes.sizeof(ctypes.c_double)


class Measures(ctypes.Structure):
    """Counters, which stay when the worker dies. One process changes them, under a lock of its own.

    ``buckets``: for each stage, how many requests took at most as long as a bound, and longer than
    the bound before; ``seconds``: for each stage, their sum.
    """

    rows: int
    outcomes: ctypes.Array[ctypes.c_int64]
    buckets: ctypes.Array[ctypes.c_int64]
    seconds: ctypes.Array[ctypes.c_double]
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("outcomes", ctypes.c_int64 * len(OUTCOMES)),
        ("buckets", ctypes.c_int64 * (len(STAGES) * BUCKETS_PER_STAGE)),
        ("seconds", ctypes.c_double * len(STAGES)),
    ]

    @property
    def requests(self) -> int:
        return sum(self.outcomes)

    @property
    def client_errors(self) -> int:
        return sum(self.outcomes[_CLIENT_ERRORS])

    @property
    def service_errors(self) -> int:
        return sum(self.outcomes[_SERVICE_ERRORS])

    def counts(self, stage: int) -> list[int]:
        """Return the buckets of a stage, which is an index of STAGES."""
        return self.buckets[stage * BUCKETS_PER_STAGE : (stage + 1) * BUCKETS_PER_STAGE]


class MeasureRecorder:
    """Adds to measures through their memory: a field of a ctypes structure is made anew at each
    access."""

    def __init__(self, measures: Measures) -> None:
        memory = memoryview(measures).cast("B")
        self._counts = memory[:-_SECONDS_BYTES].cast("q")
        self._seconds = memory[-_SECONDS_BYTES:].cast("d")

    def add(self, outcome: str, rows: int, seconds: Sequence[float]) -> None:
        """Add one request. ``seconds``: of each stage, 0.0 if the request does not have it."""
        counts, sums = self._counts, self._seconds
        counts[_ROWS] += rows
        counts[_INDEX_OF[outcome]] += 1
        answered = outcome == OK
        for stage, took in enumerate(seconds):
            if took and (stage or answered):
                counts[_FIRST_BUCKET_OF[stage] + bisect_left(BUCKET_BOUNDS_S, took)] += 1
                sums[stage] += took
