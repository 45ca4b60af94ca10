"""Scores a chunk of rows, and sets the bad ones apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import orjson

from azureml_scoring.batch.files import Chunk
from azureml_scoring.errors import ClientError, ModelRefusedInput
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Model
from azureml_scoring.models.predictions import NOT_FINITE, non_finite, to_json

PLAIN_TYPES = {int, float, str, bool}


class Sliceable(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, places: slice) -> Any: ...


R = TypeVar("R")
Part = tuple[int, R]
"""The place of its first row, and what was made of the rows from there on."""


@dataclass(frozen=True)
class BadRow:
    """``place``: counted from 0 in its chunk; ``column``: empty if no single one is to blame."""

    place: int
    column: str
    error: ClientError


@dataclass
class ScoredChunk:
    """``places``: of the rows that ``answers`` belong to, counted from 0; ``rows``: all of the
    chunk's. ``answers`` come from JSON or could."""

    rows: int
    places: np.ndarray
    answers: list[Any]
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True)
class ChunkScorer:
    """``scorer(chunk)`` -> a ScoredChunk. Raises ServiceError if the model fails.

    ``null_for_non_finite``: NaN and infinity become null; else such rows are bad.
    """

    model: Model
    method: str
    params: bytes
    null_for_non_finite: bool

    def __call__(self, chunk: Chunk) -> ScoredChunk:
        bad: list[BadRow] = []
        X = chunk.numbers()
        if X is None:
            parts, errors = split(chunk.rows, lambda rows: rows.matrix())
            for place, error in errors:
                last = (error.location or "").rpartition("/")[2]
                bad.append(BadRow(place, last and chunk.rows.column(last), error))
            count = len(chunk.rows)
            places = _places([(place, len(X)) for place, X in parts])
            if not parts:
                return ScoredChunk(count, places, [], bad)
            X = np.concatenate([X for _, X in parts])
        else:
            count = len(X)
            places = np.arange(count)
        predicted, errors = split(X, self._predict)
        bad += [BadRow(int(places[place]), "", error) for place, error in errors]
        places = places[_places([(place, len(answers)) for place, answers in predicted])]
        answers = [answer for _, part in predicted for answer in part]
        return ScoredChunk(count, places, answers, sorted(bad, key=lambda row: row.place))

    def _predict(self, X: np.ndarray) -> list[Any]:
        answers = self.model.predict(Batch(X, self.method, self.params))
        if not self.null_for_non_finite and non_finite(answers):
            raise ModelRefusedInput(NOT_FINITE)
        if self.null_for_non_finite or not {*map(type, answers)} <= PLAIN_TYPES:
            answers = orjson.loads(to_json(answers))
        return answers


def split(
    rows: Sliceable, convert: Callable[[Any], R], start: int = 0
) -> tuple[list[Part[R]], list[tuple[int, ClientError]]]:
    """Convert the rows in as few parts as the bad ones leave, found by halving.

    Returns the parts, and the place and the error of each bad row.
    """
    if not len(rows):
        return [], []
    try:
        return [(start, convert(rows))], []
    except ClientError as error:
        if len(rows) == 1:
            return [], [(start, error)]
    middle = len(rows) // 2
    parts, errors = split(rows[:middle], convert, start)
    later_parts, later_errors = split(rows[middle:], convert, start + middle)
    return parts + later_parts, errors + later_errors


def _places(parts: list[tuple[int, int]]) -> np.ndarray:
    """``parts``: the first place and the number of rows of each."""
    return np.concatenate(
        [np.empty(0, np.int64), *(np.arange(start, start + count) for start, count in parts)]
    )
