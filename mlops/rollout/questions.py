"""What deployments are asked by name, beside the clients' requests: golden rows, and rows that two must agree on."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from golden import same
from manifest import Manifest
from mlops.rollout.endpoint import Answer, Endpoint
from mlops.rollout.judge import Agreement

TOLERANCE = 1e-3
"""Of golden answers: the service has proven its own, tighter, at its start; here it is which model answers."""

CLOSE = 0.1
"""Numbers agree that differ by no more standard deviations of the old deployment's answers."""


@dataclass(frozen=True)
class Questions:
    """``golden``: pairs of a request and the predictions wanted, by method; ``rows``: what both are asked."""

    golden: Sequence[tuple[dict[str, Any], list[Any]]] = ()
    rows: Sequence[list[Any]] = ()

    @classmethod
    def of(cls, packaged: Manifest | None, rows: Sequence[list[Any]] = ()) -> Questions:
        """``rows``: those of a sample; without any the golden rows serve."""
        if packaged is None:
            return cls(rows=rows)
        asked = [
            ({"data": packaged.golden_rows, "method": method}, answers)
            for method, answers in packaged.golden_answers.items()
        ]
        return cls(asked, rows or packaged.golden_rows)

    def wrong(self, endpoint: Endpoint, deployment: str) -> str | None:
        """What is wrong with the answers to the golden rows. Raises EndpointError."""
        for request, wanted in self.golden:
            answer = endpoint.score(orjson.dumps(request), deployment)
            if answer.status != 200:
                return f"{request['method']} got status {answer.status}"
            given = predictions(answer)
            if given is None or not same(given, wanted, TOLERANCE):
                return f"{request['method']} got other predictions"
        return None

    def agreement(self, endpoint: Endpoint, new: str, old: str) -> Agreement | None:
        """None without rows, or where the old one does not answer; of no rows where the new one does not. Raises
        EndpointError."""
        body = orjson.dumps({"data": self.rows})
        wanted = predictions(endpoint.score(body, old)) if self.rows else None
        if wanted is None:
            return None
        given = predictions(endpoint.score(body, new))
        return Agreement(0, 0) if given is None else Agreement(sum(agree(given, wanted)), len(wanted))


def predictions(answer: Answer) -> list[Any] | None:
    """None where it holds none."""
    try:
        found = orjson.loads(answer.body)["predictions"] if answer.status == 200 else None
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, list) else None


def agree(given: Sequence[Any], wanted: Sequence[Any]) -> list[bool]:
    """Row by row: labels are equal, numbers close; of another number of rows none."""
    if len(given) != len(wanted):
        return [False] * len(wanted)
    if not all(type(value) is float for value in wanted):
        return [one == other for one, other in zip(given, wanted, strict=True)]
    close = CLOSE * statistics.pstdev(wanted)
    return [
        isinstance(one, int | float) and abs(one - other) <= close for one, other in zip(given, wanted, strict=True)
    ]
