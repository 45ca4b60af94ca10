"""Answers with a model compiled to ONNX, as far as packaging proved it equal to the estimator.

The estimator answers the rest: methods that ONNX lacks, numbers beyond its floats, and rows whose
answers are not finite. So the estimator alone decides which rows are refused (docs/adr/0006).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from azureml_scoring import log
from azureml_scoring.errors import ModelFailed
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines import onnx_session
from azureml_scoring.models.engines.batch_size_switch import BatchSizeSwitch
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.onnx_model import (
    ANY_ROWS,
    INPUT_NAME,
    MAX_MAGNITUDE,
    OnnxModel,
)
from azureml_scoring.models.engines.session import Session
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.joint_predict import Each, Inline

PROBABILITY_DIGITS = 6
"""Decimals kept of a float32 probability; later ones are rounding errors."""

TIE_DIGITS = 5
"""Decimals compared to choose a class: a sum over a forest's trees is off by more than the last
digit."""

LEAST_PROBABILITY = {"float32": 1e-2, "float64": 1e-9}
"""Smaller ones have too few digits for a logarithm: one class's is 1 less the others'."""


class GraphFailed(ModelFailed):
    """The compiled model raised an exception, for example on an unknown category."""


@dataclass(slots=True)
class _Compiled:
    """Predicts a batch whose floats are ``X``."""

    X: np.ndarray
    predict: Callable[[np.ndarray, Batch], list[Any]]

    def __call__(self, batch: Batch) -> list[Any]:
        return self.predict(self.X, batch)


class OnnxPredictor:
    """``predictor(batch)`` -> one JSON-ready answer per row.

    ``estimator`` answers what ONNX can't. ``encoder`` makes a mixed batch's floats. ``rows``: the
    sizes of batches for which the estimator is not quicker.
    """

    def __init__(
        self,
        model: OnnxModel,
        session: Session,
        estimator: Callable[[Batch], list[Any]],
        encoder: TableEncoder | None = None,
        rows: range = ANY_ROWS,
    ) -> None:
        self._model = model
        self._session = session
        self._one_row = session.small if isinstance(session, BatchSizeSwitch) else session
        self.rows = rows
        self._largest = model.largest or MAX_MAGNITUDE[model.dtype]
        self._size = self._largest**2
        self._estimator = estimator
        self._encoder = encoder
        self._failed = False
        self._labels = None if model.labels is None else np.array(model.labels, dtype=object)

    def __call__(self, batch: Batch) -> list[Any]:
        return (self.at_once(batch) or self._estimator)(batch)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the graph answers."""
        return tuple(self._model.outputs)

    @property
    def logarithms(self) -> frozenset[str]:
        """The methods of which the estimator answers small probabilities."""
        return self._model.logarithms

    @property
    def one_engine(self) -> int:
        """The number of rows up to which a batch is computed by what computes one row."""
        if isinstance(self._session, BatchSizeSwitch):
            return self._session.large_from - 1
        return self.rows.stop - 1 if 1 in self.rows else self.rows.start - 1

    @property
    def runtime(self) -> dict[str, str]:
        """The library that computes; an answer's last digits depend on it."""
        return {"graph": onnx_session.runtime_description(self._session)}

    def at_once(self, batch: Batch) -> Callable[[Batch], list[Any]] | None:
        """Return the compiled predict for a batch, or None if the estimator must answer it.

        The estimator still answers rows on which the graph fails or is not finite.
        """
        X = self._proven_floats(batch)
        return None if X is None else _Compiled(X, self._compiled)

    def quick(self, batch: Batch) -> Callable[[Batch], list[Any]] | None:
        """Like ``at_once``, but None also where long texts would hold up the event loop."""
        if self._encoder and not self._encoder.quick(batch.X):
            return None
        return self.at_once(batch)

    @property
    def each(self) -> Each | None:
        """Predict several one-row batches in one call; see ``joint_predict``.

        None but with numpy: ONNX Runtime adds up the rows of a larger batch in another order.
        """
        return self._each if isinstance(self._one_row, NumpyGraph) and 1 in self.rows else None

    def _each(self, rows: Sequence[tuple[Inline, Batch]]) -> list[list[Any]]:
        graph = cast(NumpyGraph, self._one_row)
        method, *others = {batch.method for _, batch in rows}
        if len(rows) > 1 and not others:
            X = np.concatenate([cast(_Compiled, inline).X for inline, _ in rows])
            with suppress(Exception):  # one by one, each fails by itself
                output = graph.each_row(
                    self._model.outputs[method], X.astype(self._model.dtype, copy=False)
                )
                answers = self._of_output(method, output)
                if answers.dtype.kind != "f" or np.isfinite(answers).all():
                    return [[row] for row in self._rows(method, answers).tolist()]
        return [inline(batch) for inline, batch in rows]

    def _compiled(self, X: np.ndarray, batch: Batch) -> list[Any]:
        """Answer a batch whose floats are ``X``."""
        try:
            return self._answers(X, batch)
        except GraphFailed as error:
            if not self._failed:  # logged once: a line per request would say no more
                self._failed = True
                log.event(f"{error}; scikit-learn answers requests like this one.", logging.WARNING)
            return self._estimator(batch)

    def jointly(self, batch: Batch) -> list[Any]:
        """Answer rows of several requests by one engine, so that none changes another's answer.

        Raises GraphFailed if only some of the rows are the graph's.
        """
        if batch.method not in self._model.outputs or len(batch.X) not in self.rows:
            return self._estimator(batch)
        X = self._proven_floats(batch)
        answers = None if X is None else self._finite_answers(X, batch.method)
        if answers is None:
            raise GraphFailed("The estimator must answer some of the rows.")
        return answers

    def strictly(self, batch: Batch) -> list[Any]:
        """Answer like a call, but raise GraphFailed where the graph fails."""
        X = self._proven_floats(batch)
        return self._estimator(batch) if X is None else self._answers(X, batch)

    def own_answers(self, batch: Batch) -> tuple[np.ndarray, list[Any]]:
        """Return a mask of the rows that the graph itself answers, and those answers.

        Raises GraphFailed.
        """
        X, known = self._floats(batch.X)
        own = self._proven_rows(X) if known is None else known & self._proven_rows(X)
        if not own.any():
            return own, []
        answers = self._run(batch.method, X[own])
        finite = np.ones(len(answers), dtype=bool)
        if answers.dtype.kind == "f":
            finite = np.isfinite(answers).reshape(len(answers), -1).all(axis=1)
        own[own] = finite
        return own, self._rows(batch.method, answers[finite]).tolist()

    def _answers(self, X: np.ndarray, batch: Batch) -> list[Any]:
        answers = self._finite_answers(X, batch.method)
        return self._estimator(batch) if answers is None else answers

    def _finite_answers(self, X: np.ndarray, method: str) -> list[Any] | None:
        """Return the graph's answers; None if one is not finite. Raises GraphFailed."""
        answers = self._run(method, X)
        if answers.dtype.kind == "f" and not np.isfinite(answers).all():
            return None
        rows: list[Any] = self._rows(method, answers).tolist()
        return rows

    def _run(self, method: str, X: np.ndarray) -> np.ndarray:
        inputs = {INPUT_NAME: X.astype(self._model.dtype, copy=False)}
        try:
            (answers,) = self._session.run([self._model.outputs[method]], inputs)
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            raise GraphFailed(f"The compiled model failed ({type(error).__name__})") from error
        return self._of_output(method, answers)

    def _of_output(self, method: str, output: np.ndarray) -> np.ndarray:
        """Return a method's answers; NaN where the output is too coarse for them."""
        if method == "predict_log_proba":
            return _logarithms(output)
        if method == "decision_function" and output.ndim == 2 and output.shape[1] <= 2:
            if self._model.outputs[method] == self._model.outputs.get("predict_proba"):
                logarithms = _logarithms(output)
                output = logarithms - logarithms[:, :1]
            second: np.ndarray = output[:, -1]
            return second
        return output

    def _floats(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return what the graph takes, and a mask of the rows without an unknown value, or None."""
        return self._encoder.encode(X) if self._encoder else (X, None)

    def _proven_floats(self, batch: Batch) -> np.ndarray | None:
        """Return what the graph takes; None if it is not proven for each row."""
        if batch.method not in self._model.outputs or len(batch.X) not in self.rows:
            return None
        X, known = self._floats(batch.X)
        if known is not None:
            return None
        # The cheapest check of all values, and NaN fails it. Only float64 ("d") does not overflow.
        numbers = self._numbers(X)
        if numbers.dtype.char == "d" and np.vdot(numbers, numbers) <= self._size:
            return X
        return X if self._proven_rows(X).all() else None

    def _numbers(self, X: np.ndarray) -> np.ndarray:
        """Return the columns that hold a request's own numbers, not those of tables."""
        return X[:, : self._encoder.numbers] if self._encoder else X

    def _proven_rows(self, X: np.ndarray) -> np.ndarray:
        X = self._numbers(X).astype(np.float64, copy=False)
        proven: np.ndarray = ~(np.abs(X) > self._largest).any(axis=1)
        return proven if self._model.missing else proven & ~np.isnan(X).any(axis=1)

    def _rows(self, method: str, answers: np.ndarray) -> np.ndarray:
        labels = self._labels if method == "predict" else None
        if answers.dtype == np.float32:
            answers = answers.astype(np.float64)
            if labels is not None or method == "predict_proba":
                answers = answers.round(PROBABILITY_DIGITS if labels is None else TIE_DIGITS)
        if labels is not None:
            answers = labels[answers.argmax(axis=1)]
        return (
            answers[:, 0]
            if self._model.flat and answers.ndim == 2 and answers.shape[1] == 1
            else answers
        )


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    least = LEAST_PROBABILITY[probabilities.dtype.name]
    logarithms: np.ndarray = np.log(
        np.where(probabilities >= least, probabilities, np.nan), dtype=np.float64
    )
    return logarithms
