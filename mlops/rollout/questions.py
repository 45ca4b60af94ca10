"""What deployments are asked by name, beside the clients' requests: golden rows, and rows that two must agree on."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from contract import Feature
from errors import StartupError
from golden import same
from manifest import Manifest
from mlops import sample as samples
from mlops.rollout.endpoint import Answer, Endpoint
from mlops.rollout.judge import Agreement
from mlops.score_rows import ROWS, check_json

TOLERANCE = 1e-3
"""Of golden answers: the service has proven its own, tighter, at its start; here it is which model answers."""

CLOSE = 0.1
"""Numbers agree that differ by no more standard deviations of the old deployment's answers."""


@dataclass(frozen=True)
class Questions:
    """``golden``: pairs of a request and the predictions wanted, by method; ``rows``: what both are asked, by
    ``columns``, or by position where those are None."""

    golden: Sequence[tuple[dict[str, Any], list[Any]]] = ()
    rows: Sequence[list[Any]] = ()
    columns: Sequence[str] | None = None

    @classmethod
    def of(cls, packaged: Manifest, sample: Questions | None = None) -> Questions:
        """``sample``: its rows are asked, without one the golden rows."""
        names = packaged.contract.names
        golden = cls(rows=packaged.golden_rows, columns=names and list(names))
        asked = [
            (golden.request(packaged.golden_rows) | {"method": method}, answers)
            for method, answers in packaged.golden_answers.items()
        ]
        return replace(sample if sample and sample.rows else golden, golden=asked)

    def request(self, rows: Sequence[list[Any]]) -> dict[str, Any]:
        return {"data": rows} if self.columns is None else {"input_data": {"columns": self.columns, "data": rows}}

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
        wanted: list[Any] = []
        given: list[Any] | None = []
        for start in range(0, len(self.rows), ROWS):
            body = orjson.dumps(self.request(self.rows[start : start + ROWS]))
            if (of_old := predictions(endpoint.score(body, old))) is None:
                return None
            of_new = predictions(endpoint.score(body, new))
            wanted += of_old
            given = None if given is None or of_new is None else given + of_new
        if not self.rows:
            return None
        return Agreement(0, 0) if given is None else Agreement(sum(agree(given, wanted)), len(wanted))


def table(sample: Path, features: Sequence[Feature]) -> Questions:
    """The rows of a file, a CSV read as the model's ``features`` say, where they are known. Raises StartupError."""
    frame = samples.read(sample, features)
    check_json(frame, sample)
    columns, names = list(frame.columns), [feature.name for feature in features if feature.name is not None]
    named = all(isinstance(name, str) for name in columns) and not (features and not names)
    if named and (missing := [name for name in names if name not in columns]):
        raise StartupError(f"{sample} lacks columns that the model takes: {', '.join(missing)}; add them.")
    if features and not named and len(features) != len(columns):
        raise StartupError(
            f"{sample} has {len(columns)} columns, and the model takes {len(features)}, by position; give those."
        )
    return Questions(rows=samples.rows_of(frame), columns=columns if named else None)


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
