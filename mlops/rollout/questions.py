"""What deployments are asked by name, beside the clients' requests: golden rows, and rows that two
must agree on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Feature
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.golden_check import same_answers
from mlops import sample as samples
from mlops.endpoint import Endpoint, EndpointAnswer, EndpointError
from mlops.rollout.plan import Check
from mlops.rollout.row_answers import predictions
from mlops.score_rows import check_json

TOLERANCE = 1e-3
"""Of golden answers: the service has proven its own, tighter, at its start; here it is which model
answers."""


@dataclass(frozen=True)
class Questions:
    """``golden``: pairs of a request and the predictions wanted, by method; ``rows``: what both are
    asked, by ``columns``, or by position where those are None; ``left_out``: rows more that the old
    one does not answer."""

    golden: Sequence[tuple[dict[str, Any], list[Any]]] = ()
    rows: Sequence[list[Any]] = ()
    columns: Sequence[str] | None = None
    left_out: int = 0

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
        return (
            {"data": rows}
            if self.columns is None
            else {"input_data": {"columns": self.columns, "data": rows}}
        )

    def score(
        self, endpoint: Endpoint, deployment: str, rows: Sequence[list[Any]]
    ) -> EndpointAnswer:
        """What a deployment says to some of the rows. Raises EndpointError."""
        return endpoint.score(orjson.dumps(self.request(rows)), deployment)

    def wrong(self, endpoint: Endpoint, deployment: str) -> str | None:
        """What is wrong with the answers to the golden rows. Raises EndpointError."""
        for request, wanted in self.golden:
            answer = endpoint.score(orjson.dumps(request), deployment)
            if answer.status != 200:
                return f"{request['method']} got status {answer.status}"
            given = predictions(answer)
            if given is None or not same_answers(given, wanted, TOLERANCE):
                return f"{request['method']} got other predictions"
        return None

    def gaps(self, waived: Collection[Check]) -> list[Check]:
        """The checks that have nothing to ask, though nobody has waived them."""
        empty = {Check.GOLDEN: not self.golden, Check.PREDICTIONS: not self.rows}
        return [check for check in Check if empty[check] and check not in waived]

    def without(self, waived: Collection[Check]) -> Questions:
        """Nothing is asked for those checks."""
        return replace(
            self,
            golden=() if Check.GOLDEN in waived else self.golden,
            rows=() if Check.PREDICTIONS in waived else self.rows,
        )


def require(asked: Questions, waived: Collection[Check]) -> None:
    """Raises EndpointError, with what to give, where a check has nothing to ask and nobody has
    waived it."""
    gaps = asked.gaps(waived)
    if not gaps:
        return
    give = (
        "the folder that `mlops package` wrote by --artifact"
        if Check.GOLDEN in gaps
        else "rows by --sample"
    )
    flags = " ".join(f"--without {check}" for check in gaps)
    raise EndpointError(
        f"There is nothing to check {' and '.join(gaps)} by; give {give}, or go on with {flags}."
    )


def table(sample: Path, features: Sequence[Feature]) -> Questions:
    """The rows of a file, a CSV read as the model's ``features`` say, where they are known. Raises
    StartupError."""
    frame = samples.read(sample, features)
    check_json(frame, sample)
    columns, names = (
        list(frame.columns),
        [feature.name for feature in features if feature.name is not None],
    )
    named = all(isinstance(name, str) for name in columns) and not (features and not names)
    if named and (missing := [name for name in names if name not in columns]):
        raise StartupError(
            f"{sample} lacks columns that the model takes: {', '.join(missing)}; add them."
        )
    if features and not named and len(features) != len(columns):
        raise StartupError(
            f"{sample} has {len(columns)} columns, and the model takes {len(features)}, by "
            f"position; give those."
        )
    return Questions(rows=samples.rows_of(frame), columns=columns if named else None)
