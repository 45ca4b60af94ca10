"""The rows that deployments are asked to score, beside the clients' requests: golden rows, and rows
that two deployments must agree on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.golden_check import same_answers
from mlops.endpoint import Endpoint, EndpointAnswer, EndpointError
from mlops.rollout.agreement import fewest_rows
from mlops.rollout.drawn_rows import drawn_rows
from mlops.rollout.plan import Check
from mlops.rollout.row_answers import predictions

TOLERANCE = 1e-3
"""For golden answers. The service checks them more tightly when it starts; this only tells which
model answers."""


@dataclass(frozen=True)
class Questions:
    """What deployments are asked. ``golden``: pairs of a request and its expected predictions, one
    for each method. ``rows``: what both deployments score, by ``columns``, or by position if those
    are None. ``left_out``: how many more rows the old one does not answer."""

    golden: Sequence[tuple[dict[str, Any], list[Any]]] = ()
    rows: Sequence[list[Any]] = ()
    columns: Sequence[str] | None = None
    left_out: int = 0

    @classmethod
    def of(cls, packaged: Manifest, sample: Questions | None = None) -> Questions:
        """Make the questions for a packaged model: the rows of ``sample``, or else rows drawn like
        its golden rows."""
        names = packaged.contract.names
        golden = cls(rows=drawn_rows(packaged.golden_rows), columns=names and list(names))
        golden_requests = [
            (golden.request(packaged.golden_rows) | {"method": method}, answers)
            for method, answers in packaged.golden_answers.items()
        ]
        return replace(sample if sample and sample.rows else golden, golden=golden_requests)

    def request(self, rows: Sequence[list[Any]]) -> dict[str, Any]:
        return (
            {"data": rows}
            if self.columns is None
            else {"input_data": {"columns": self.columns, "data": rows}}
        )

    def score(
        self, endpoint: Endpoint, deployment: str, rows: Sequence[list[Any]]
    ) -> EndpointAnswer:
        """Let a deployment score some of the rows. Raises EndpointError."""
        return endpoint.score(orjson.dumps(self.request(rows)), deployment)

    def wrong(self, endpoint: Endpoint, deployment: str) -> str | None:
        """Return what is wrong with a deployment's answers to the golden rows, or None. Raises
        EndpointError."""
        for request, expected in self.golden:
            answer = endpoint.score(orjson.dumps(request), deployment)
            if answer.status != 200:
                return f"{request['method']} got status {answer.status}"
            actual = predictions(answer)
            if actual is None or not same_answers(actual, expected, TOLERANCE):
                return f"{request['method']} got other predictions"
        return None

    def gaps(self, waived: Collection[Check]) -> list[Check]:
        """Return the checks without rows to ask that are not waived."""
        empty = {Check.GOLDEN: not self.golden, Check.PREDICTIONS: not self.rows}
        return [check for check in Check if empty[check] and check not in waived]

    def without(self, waived: Collection[Check]) -> Questions:
        """Return the questions without those of the waived checks."""
        return replace(
            self,
            golden=() if Check.GOLDEN in waived else self.golden,
            rows=() if Check.PREDICTIONS in waived else self.rows,
        )


def require(questions: Questions, waived: Collection[Check], agreement: float) -> None:
    """Raise EndpointError, which says what to give, if a check has no rows to ask and is not
    waived, or too few to prove that a share of ``agreement`` agrees."""
    gaps = questions.gaps(waived)
    if gaps:
        give = (
            "the folder that `mlops package` wrote by --artifact"
            if Check.GOLDEN in gaps
            else "rows by --sample"
        )
        flags = " ".join(f"--without {check}" for check in gaps)
        raise EndpointError(
            f"There is nothing to check {' and '.join(gaps)} by; give {give}, or go on with "
            f"{flags}."
        )
    if Check.PREDICTIONS not in waived:
        require_enough(questions, agreement)


def require_enough(questions: Questions, agreement: float) -> None:
    """Raise EndpointError if too few rows are compared to prove anything by them."""
    count, fewest = len(questions.rows), fewest_rows(agreement)
    if count < fewest:
        raise EndpointError(
            f"{count} rows can't prove that {agreement:.0%} of all predictions agree, not even if "
            f"these do; give {fewest} or more by --sample, demand less by --agreement, or go on "
            f"with --without {Check.PREDICTIONS}."
        )


def table(sample: Path, features: Sequence[Feature]) -> Questions:
    """Read rows from a file; a CSV by the types of the model's ``features``, if they are known.
    Raises StartupError."""
    from mlops import sample as samples
    from mlops.score_rows import check_json

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
