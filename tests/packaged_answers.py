"""Whether a packaged model answers as its estimator does: compiled, and as the estimator itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import support
from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.engines.column_tables import ColumnTables
from azureml_scoring.models.engines.engines import Engines
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.loading import load
from azureml_scoring.models.predictions import non_finite, per_row
from azureml_scoring.settings import Settings
from mlops.convert import NOT_COMPARED
from mlops.sample import rows_of
from odd_requests import ODD, ODD_TEXTS, body_of, outcome, requests, same, size_of
from validation import validate

ALONE = 3
"""Rows that are also asked one by one."""


class Refused(Exception):
    """Packaging refuses a model, in a sentence."""


class Left(Exception):
    """The compiled form leaves a row to the estimator."""


def _leave(batch: Batch) -> list[Any]:
    raise Left


class PackagedAnswers:
    """A model that was packaged, and loaded with and without its compiled form.

    reason: why there is no compiled form; None if there is one.
    """

    def __init__(self, estimator: Any, frame: pd.DataFrame, folder: Path) -> None:
        """Raises Refused."""
        self._estimator = estimator
        self._frame = frame
        self._told: list[str] = []
        try:
            path = support.packaged(estimator, frame, folder, say=self._told.append)
        except StartupError as error:
            raise Refused(str(error)) from error
        reasons = [line.split("will answer: ")[1] for line in self._told if "no ONNX" in line]
        self.reason = reasons[0] if reasons else None
        self._plain = load(Settings(scoring_model_path=path, scoring_backend="sklearn"))
        self._compiled = {} if reasons else self._opened(path)

    def _opened(self, path: Path) -> dict[str, OnnxPredictor]:
        """Return each proven engine. It raises Left for what it does not answer itself."""
        model = Manifest.read(path).onnx
        assert model
        tables, encoder = model.tables, None
        if tables:
            encoder = TableEncoder(ColumnTables.of((path / tables).read_bytes(), tables))
        engines = Engines(model, (path / model.file).read_bytes(), self._estimator)
        return {
            name: OnnxPredictor(model, engines.open(name), _leave, encoder)
            for name in engines.proven
        }

    def differences(self) -> Iterator[str]:
        """Yield where answers differ: of odd requests, and of rows of the sample's values."""
        yield from (line for line in self._told if NOT_COMPARED in line)
        odd = self._odd_rows()
        for method in self._plain.contract.methods:
            yield from self._in_known_values(method)
            for name, compiled in self._compiled.items():
                if method in compiled.methods:
                    differing = self._compiled_or_not(compiled, method, odd)
                    yield from (f"{name}, {line}" for line in differing)

    def _odd_rows(self) -> list[np.ndarray]:
        """Return the rows that the contract accepts, as the model gets them."""
        accepted, contract = [], self._plain.contract
        for _, rows in requests(self._frame, ODD | ODD_TEXTS):
            with suppress(ScoringError):
                body = body_of(rows, contract.methods[0])
                accepted.append(validate(body, contract, Limits()).X)
        return accepted

    def _compiled_or_not(
        self, compiled: OnnxPredictor, method: str, odd: list[np.ndarray]
    ) -> Iterator[str]:
        """Compare the compiled form with the estimator on what it answers of odd requests."""
        own, given = list[np.ndarray](), list[Any]()
        for X in odd:
            with suppress(Left):
                given += compiled(Batch(X, method))
                own.append(X)
        if not own:
            return
        X = np.concatenate(own)
        scale = size_of(given[: len(odd[0])])
        for row, answer, wanted in zip(X, given, self._answers(X, method), strict=True):
            if not same(answer, wanted, scale):
                yield f"{method}: {answer} instead of {wanted} for {row.tolist()}"

    def _answers(self, X: np.ndarray, method: str) -> list[Any]:
        """Return the estimator's answers, or in place of one the code of its refusal."""
        try:
            return self._plain.predict(Batch(X, method))
        except ScoringError as error:
            half = len(X) // 2
            if not half:
                return [error.code]
            return self._answers(X[:half], method) + self._answers(X[half:], method)

    def _in_known_values(self, method: str) -> Iterator[str]:
        """Compare the served estimator with itself, which gets frames as in its fit."""
        frame, scale = recombined(self._frame), 1.0
        for part in [frame, *(frame.iloc[[place]] for place in range(ALONE))]:
            rows = rows_of(part)
            wanted = self._direct(method, part)
            given = outcome(self._plain, body_of(rows, method))
            if wanted[0] == "ok":
                scale = max(scale, size_of(wanted[1]))
            if not (same(given, wanted, scale) or (wanted[0] == "refused" and given[0] != "ok")):
                yield (
                    f"{method}, {len(rows)} rows of known values: {given} instead of {wanted} for "
                    f"{rows[:3]}"
                )

    def _direct(self, method: str, frame: pd.DataFrame) -> tuple[str, Any]:
        with warnings.catch_warnings(action="ignore"):
            try:
                answers = per_row(getattr(self._estimator, method)(frame.copy()))
            except Exception as error:  # of any library
                return "refused", repr(error)[:200]
        return ("not_finite", None) if non_finite(answers) else ("ok", answers)


def recombined(frame: pd.DataFrame, count: int = 20) -> pd.DataFrame:
    """Return rows with each column's values in another order."""
    rng = np.random.default_rng(0)
    columns = {
        name: frame[name].iloc[rng.integers(len(frame), size=count)].reset_index(drop=True)
        for name in frame
    }
    return pd.DataFrame(columns)
