"""The model of rehearsals, in a module of its own: each deployment imports it as it starts."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from typing import Any

from sklearn.pipeline import Pipeline

MISBEHAVIOUR, AFTER_PREDICTIONS = "REHEARSAL_MISBEHAVES", "REHEARSAL_AFTER"
"""Variables of a deployment: what it does, and after how many predictions for requests."""

SCORE_THREADS = "score"
"""Start of the names of the threads that compute requests. Those at start-up, which are many, run
on others and go well."""

SLOW_S, HANG_S = 0.22, 1.0
COLD_PREDICTIONS = 3


class MisbehavingPipeline(Pipeline):  # type: ignore[misc]
    """A pipeline that goes wrong as its environment says, after so many requests."""

    _predictions = itertools.count()

    def predict(self, X: Any, **params: Any) -> Any:
        if threading.current_thread().name.startswith(SCORE_THREADS):
            count = next(self._predictions)
            if count >= int(os.environ.get(AFTER_PREDICTIONS, "0")):
                self._misbehave(os.environ.get(MISBEHAVIOUR), count)
        return super().predict(X, **params)

    def _misbehave(self, how: str | None, count: int) -> None:
        if how == "slow" or (how == "cold" and count < COLD_PREDICTIONS):
            time.sleep(SLOW_S)
        elif how == "hanging" and count % 20 == 0:
            time.sleep(HANG_S)
        elif how == "failing" and count % 4 == 0:
            raise MemoryError
        elif how == "dying":
            os.kill(os.getppid(), signal.SIGKILL)
            os._exit(1)
