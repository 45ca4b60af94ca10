"""Whether a packaged model answers as its estimator does: compiled, and as the estimator itself."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.models.predictions import non_finite, per_row
from azureml_scoring.settings import Settings
from mlops.convert import NOT_COMPARED
from mlops.sample import rows_of
from odd_requests import ODD, ODD_TEXTS, body_of, outcome, requests, same, size_of

ALONE = 6
"""Rows that are also asked one by one."""


class Refused(Exception):
    """Packaging refuses a model, in a sentence."""


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
        self._compiled, self._plain = (
            load(Settings(scoring_model_path=path, scoring_backend=backend))
            for backend in ("auto", "sklearn")
        )
        self._proven = bool(json.loads((path / "manifest.json").read_text())["onnx"])
        reasons = [line.split("will answer: ")[1] for line in self._told if "no ONNX" in line]
        self.reason = None if self._proven else reasons[0]

    def differences(self) -> Iterator[str]:
        """Yield where answers differ: of odd requests, and of rows of the sample's values."""
        yield from (line for line in self._told if NOT_COMPARED in line)
        if self._proven and self._compiled.backend != "onnx":
            yield "the compiled model that was proven does not answer"
        models = [self._plain] + [self._compiled] * self._proven
        for method in self._plain.contract.methods:
            if self._proven:
                yield from self._in_odd_requests(method)
            for model in models:
                yield from self._in_known_values(model, method)

    def _in_odd_requests(self, method: str) -> Iterator[str]:
        """Compare the compiled model with the estimator as it is served."""
        scale = 1.0
        for what, rows in requests(self._frame, ODD | ODD_TEXTS):
            body = body_of(rows, method)
            given, wanted = outcome(self._compiled, body), outcome(self._plain, body)
            if what == "rows of the sample" and wanted[0] == "ok":
                scale = size_of(wanted[1])
            if not same(given, wanted, scale):
                yield f"{method}, {what}: {given} instead of {wanted} for {rows[-1]}"

    def _in_known_values(self, model: Model, method: str) -> Iterator[str]:
        """Compare a served model with the estimator itself, which gets frames as in its fit."""
        frame, scale = recombined(self._frame), 1.0
        for part in [frame, *(frame.iloc[[place]] for place in range(ALONE))]:
            rows = rows_of(part)
            wanted, given = self._direct(method, part), outcome(model, body_of(rows, method))
            if wanted[0] == "ok":
                scale = max(scale, size_of(wanted[1]))
            if not (same(given, wanted, scale) or (wanted[0] == "refused" and given[0] != "ok")):
                yield (
                    f"{method}, {model.backend}, {len(rows)} rows of known values: {given} instead "
                    f"of {wanted} for {rows[:3]}"
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
