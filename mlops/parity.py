"""Compares a compiled model with its estimator: equal answers, and none where it refuses."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.onnx_model import MIN_COMPARED_ANSWERS
from azureml_scoring.models.engines.onnx_predictor import GraphFailed
from mlops.proof_rows import RowSet, as_accepted
from mlops.say import Say, silent

TOLERANCE = 1e-5
"""Largest difference of probabilities; of other numbers relative to their own size, or to that of
the sample's answers."""

CHUNK_ROWS = (1, 100, 500)
"""Rows per call: one alone, then some of each set, then all others."""

TIME_LIMIT_S = 60.0
"""The comparison ends after this time, if it has enough answers and two chunks of each set."""

REPORT_INTERVAL_S = 10.0

Estimator = Callable[[Batch], list[Any]]


class Compiled(Protocol):
    """The part of ``OnnxPredictor`` that is compared."""

    def own_answers(self, batch: Batch) -> tuple[np.ndarray, list[Any]]: ...


class NotProven(Exception):
    """The compiled model is not proven equal; the message says why in a few words."""


@dataclass
class ParityResult:
    """The outcome of a comparison.

    answers: how many answers were compared.
    left: rows that the compiled model left to the estimator.
    total: rows in all.
    apart: the largest difference of two answers.
    """

    answers: int = 0
    left: int = 0
    total: int = 0
    apart: float = 0.0

    @property
    def seen(self) -> int:
        return self.answers + self.left

    def __add__(self, other: ParityResult) -> ParityResult:
        apart = max(self.apart, other.apart)
        return ParityResult(
            self.answers + other.answers, self.left + other.left, self.total + other.total, apart
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.answers,
            "left_to_the_estimator": self.left,
            "asked": self.total,
            "largest_difference": self.apart,
            "tolerance": TOLERANCE,
        }


@dataclass
class Parity:
    """Compares compiled forms of one model with its estimator, which is called once for all."""

    estimator: Estimator
    contract: Contract
    sample: np.ndarray
    say: Say = silent
    clock: Callable[[], float] = time.monotonic
    spent: float = 0.0
    _known: dict[tuple[Any, ...], np.ndarray] = field(default_factory=dict)

    def compare(
        self,
        compiled: Compiled,
        methods: tuple[str, ...],
        kinds: Iterable[RowSet],
        limit_s: float = TIME_LIMIT_S,
    ) -> ParityResult:
        """Compare on all sets of rows, as far as time allows: ``limit_s`` for all comparisons
        together. Raises NotProven."""
        parts = [part for kind in kinds for part in self._parts(kind, methods)]
        parts.sort(key=lambda part: part.turn)  # some rows of each set before time runs out
        result = ParityResult(total=sum(len(part.batch.X) for part in parts))
        begun = reported = self.clock()
        for part in parts:
            now = self.clock()
            done = part.turn > 1 and result.answers >= MIN_COMPARED_ANSWERS
            if done and self.spent + now - begun > limit_s:
                break
            if result.seen and now - reported > REPORT_INTERVAL_S:
                reported = now
                self.say(f"  {_progress(result, now - begun)}")
            self._compare(compiled, part, result)
        self.spent += self.clock() - begun
        return result

    def _parts(self, kind: RowSet, methods: tuple[str, ...]) -> Iterable[_Part]:
        name, rows = kind
        one, some, many = CHUNK_ROWS
        starts = [0, one, *range(one + some, len(rows), many)]
        for (turn, start), method in itertools.product(enumerate(starts), methods):
            chunk = rows[start : [*starts, len(rows)][turn + 1]]
            if len(chunk):
                yield _Part(
                    turn,
                    f"{method} of rows {name}",
                    Batch(as_accepted(chunk.copy(), self.contract), method),
                )

    def _compare(self, compiled: Compiled, part: _Part, result: ParityResult) -> None:
        try:
            own, answers = compiled.own_answers(part.batch)
        except GraphFailed as error:
            raise NotProven(
                f"{part.what}: ONNX Runtime fails ({type(error.__cause__).__name__})"
            ) from error
        result.left += int((~own).sum())
        if own.any():
            expected = self._expected(part, own)
            result.apart = max(
                result.apart,
                _difference(answers, expected, self._scale(part.batch.method), part.what),
            )
            result.answers += len(answers)

    def _expected(self, part: _Part, own: np.ndarray) -> np.ndarray:
        key = (part.what, part.turn, own.tobytes())
        if key not in self._known:
            try:
                self._known[key] = np.asarray(
                    self.estimator(part.batch._replace(X=part.batch.X[own]))
                )
            except ScoringError as error:
                raise NotProven(
                    f"{part.what}: the graph answers what scikit-learn refuses"
                ) from error
        return self._known[key]

    def _scale(self, method: str) -> Any:
        """Return the size of the sample's answers by column; 1 for probabilities."""
        key = ("scale", method)
        if key not in self._known:
            self._known[key] = self._measured_scale(method)
        return self._known[key]

    def _measured_scale(self, method: str) -> np.ndarray:
        if method == "predict_proba":
            return np.ones(1)
        try:
            answers = np.asarray(
                self.estimator(Batch(as_accepted(self.sample.copy(), self.contract), method))
            )
        except ScoringError:  # the sample has gaps that the model does not take
            return np.zeros(1)
        if answers.dtype.kind != "f":
            return np.zeros(1)
        sizes: np.ndarray = np.where(np.isfinite(answers), np.abs(answers), 0.0).max(axis=0)
        return sizes


@dataclass(frozen=True)
class _Part:
    """Rows of one call, in order of ``turn``."""

    turn: int
    what: str
    batch: Batch


def _progress(compared: ParityResult, seconds: float) -> str:
    left = min(seconds / compared.seen * (compared.total - compared.seen), TIME_LIMIT_S)
    return f"compared {compared.seen:,} of {compared.total:,} answers, about {left:.0f} s to go"


def _difference(answers: list[Any], expected: np.ndarray, scale: Any, what: str) -> float:
    """Return the largest difference, relative to the larger of the answer and ``scale``.

    Raises NotProven.
    """
    array = np.asarray(answers)
    if array.shape != expected.shape:
        raise NotProven(f"{what}: answers of another shape")
    if (array.dtype == bool) != (expected.dtype == bool):  # in JSON, true is not 1
        raise NotProven(f"{what}: answers of another type")
    if expected.dtype.kind != "f":
        wrong = int((array != expected).sum())
        if wrong:
            raise NotProven(f"{what}: {wrong} of {len(expected)} answers differ")
        return 0.0
    size = np.maximum(np.abs(expected), scale)
    with np.errstate(invalid="ignore"):  # NaN in either is a difference
        apart = float((np.abs(array - expected) / np.where(size > 0, size, 1.0)).max())
    if not apart <= TOLERANCE:
        raise NotProven(f"{what}: apart by {apart:.1e}")
    return apart
