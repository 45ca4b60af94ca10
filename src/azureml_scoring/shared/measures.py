"""What a worker measures of its requests: how they ended, and how long each stage of them took.

Plain arrays of numbers, part of the scoreboard's row; metrics.py shows them to Prometheus.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Sequence

from azureml_scoring.errors import ClientError, ScoringError, ServiceError

STAGES = ("request", "read", "validate", "queue", "predict", "cache", "serialise")
"""``request`` is all of it. A stage that a request has none of is not counted."""

REQUEST, READ, VALIDATE, QUEUE, PREDICT, CACHE, SERIALISE = range(len(STAGES))

BUCKETS = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds in seconds; 0.2 and 0.5 are the SLO's."""

WIDTH = len(BUCKETS) + 1
"""One more bucket holds what is beyond."""


def _codes(error: type[ScoringError]) -> list[str]:
    own = [error.code] if "code" in vars(error) else []
    return own + [code for kind in error.__subclasses__() for code in _codes(kind)]


OK = "ok"
OUTCOMES = (OK, *_codes(ClientError), *_codes(ServiceError))
_PLACE = {name: index for index, name in enumerate(OUTCOMES)}
_CLIENT, _SERVICE = (
    slice(_PLACE[codes[0]], _PLACE[codes[-1]] + 1)
    for codes in map(_codes, (ClientError, ServiceError))
)

REFUSALS = OUTCOMES[_CLIENT]
"""What a client has to change; the rest, but for OK, is ours."""


class Measures(ctypes.Structure):
    """Counters: they stay when the worker dies. Each is changed by one process, which holds a lock
    of its own.

    ``buckets``: by stage, how many requests took at most as long as a bound, and longer than the
    one before; ``seconds``: by stage, all of them together.
    """

    rows: int
    outcomes: ctypes.Array[ctypes.c_int64]
    buckets: ctypes.Array[ctypes.c_int64]
    seconds: ctypes.Array[ctypes.c_double]
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("outcomes", ctypes.c_int64 * len(OUTCOMES)),
        ("buckets", ctypes.c_int64 * (len(STAGES) * WIDTH)),
        ("seconds", ctypes.c_double * len(STAGES)),
    ]

    @property
    def requests(self) -> int:
        return sum(self.outcomes)

    @property
    def client_errors(self) -> int:
        return sum(self.outcomes[_CLIENT])

    @property
    def service_errors(self) -> int:
        return sum(self.outcomes[_SERVICE])

    def counts(self, stage: int) -> list[int]:
        """By bucket. ``stage``: its place in STAGES."""
        return self.buckets[stage * WIDTH : (stage + 1) * WIDTH]


class MeasureRecorder:
    """Adds to measures, by their bytes: a field of ctypes is an object that is made anew each time
    it is asked for."""

    def __init__(self, measures: Measures) -> None:
        whole = memoryview(measures).cast("B")
        self._counts = whole[:-_SECONDS].cast("q")
        self._seconds = whole[-_SECONDS:].cast("d")

    def add(self, outcome: str, rows: int, seconds: Sequence[float]) -> None:
        """A request. ``seconds``: by stage, 0.0 for none."""
        counts, sums = self._counts, self._seconds
        counts[_ROWS] += rows
        counts[_OUTCOMES + _PLACE[outcome]] += 1
        for stage, took in enumerate(seconds):
            if took:
                counts[_BUCKETS[stage] + bisect_left(BUCKETS, took)] += 1
                sums[stage] += took


_ROWS, _OUTCOMES = 0, 1
_BUCKETS = [_OUTCOMES + len(OUTCOMES) + stage * WIDTH for stage in range(len(STAGES))]
"""Where they begin, in numbers."""

_SECONDS = len(STAGES) * ctypes.sizeof(ctypes.c_double)
"""Their bytes, which are the last."""
