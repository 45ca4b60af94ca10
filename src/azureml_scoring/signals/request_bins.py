"""Counts requests by bin of each column."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import orjson

from azureml_scoring.errors import MissingValue
from azureml_scoring.models.answer_columns import answer_columns
from azureml_scoring.models.model import Model
from azureml_scoring.request import Outcome
from azureml_scoring.signals.data_collection import Collected, collected
from azureml_scoring.signals.drift_window import DriftWindow
from azureml_scoring.signals.watched_columns import WatchedColumn


class Refused(NamedTuple):
    """A request without a value that the model needs. ``feature``: its place in the contract."""

    feature: int
    bytes_in: int


def watched(outcome: Outcome, at: float) -> Collected | Refused | None:
    """Return what tells of drift in a request."""
    error = outcome.error
    if isinstance(error, MissingValue) and error.feature is not None:
        return Refused(error.feature, outcome.bytes_in)
    return collected(outcome, at)


def count(
    requests: Sequence[Collected | Refused],
    columns: Sequence[WatchedColumn],
    model: Model,
    window: DriftWindow,
) -> np.ndarray:
    """Count by bin. The rows of a request weigh one together, those that do not count
    nothing."""
    full = [request for request in requests if isinstance(request, Collected)]
    refused = [request for request in requests if isinstance(request, Refused)]
    counts = np.zeros(window.width)
    of_features, of_answers = np.split(np.array(columns, object), [len(model.baselines)])
    if full:
        lengths = [len(request.batch.X) for request in full]
        checksums = list(itertools.chain.from_iterable(map(_checksums, full)))
        weights = np.repeat(1 / np.array(lengths), lengths)
        weights *= window.first_times(checksums, model.most_row_share)
        X = np.concatenate([request.batch.X for request in full]).T
        for column, values in zip(of_features, X, strict=False):
            column.add(counts, values, weights)
        for name, answers, theirs in _answers(full, weights) if len(of_answers) else ():
            for column in of_answers:
                if column.baseline.name == name:
                    column.add(counts, answers, theirs)
    if refused:
        # Their rows are not known; equally long bodies are taken for the same.
        checksums = [crc32(repr(request).encode()) for request in refused]
        weights = window.first_times(checksums, model.most_row_share).astype(float)
        for request, weight in zip(refused, weights, strict=True):
            if request.feature < len(of_features):
                of_features[request.feature].add(counts, [None], np.array([weight]))
    return counts


def _checksums(request: Collected) -> Iterator[int]:
    X = request.batch.X
    return (crc32(orjson.dumps(row.tolist()) if X.dtype == object else row.tobytes()) for row in X)


def _answers(
    requests: Sequence[Collected], weights: np.ndarray
) -> Iterator[tuple[str, list[Any], np.ndarray]]:
    """Yield the answers by column, with their rows' weights."""
    ends = np.cumsum([len(request.batch.X) for request in requests])
    by_method: dict[str, tuple[list[Any], list[np.ndarray]]] = {}
    for request, theirs in zip(requests, np.split(weights, ends[:-1]), strict=True):
        answers, of_rows = by_method.setdefault(request.batch.method, ([], []))
        answers += orjson.loads(request.predictions)
        of_rows.append(theirs)
    for method, (answers, of_rows) in by_method.items():
        for name, column in answer_columns(method, answers).items():
            yield name, column, np.concatenate(of_rows)
