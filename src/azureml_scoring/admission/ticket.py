"""A place in the queue before the slots."""

from __future__ import annotations

import math
from dataclasses import dataclass

from azureml_scoring.admission.service_times import WorkKind


@dataclass(eq=False, slots=True)
class Ticket:
    """A request that waits for a slot or has one, or several that share a score.

    ``work_s``: how long it is expected to be computed; ``started``: infinity until then.
    ``requests``, ``rows``: what shares the score; ``max_rows``: 0 if nothing may.
    """

    kind: WorkKind
    joined: float
    due: float
    rows: int = 0
    max_rows: int = 0
    requests: int = 1
    work_s: float = 0.0
    order: float = 0.0
    started: float = math.inf
    lends_at: float = math.inf

    @property
    def room(self) -> int:
        """How many rows more may share the score."""
        return max(self.max_rows - self.rows, 0)
