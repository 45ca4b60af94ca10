"""Does a compiled model answer like its estimator? Asked on thousands of rows, many of them nasty."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from contract import Contract
from errors import ScoringError
from onnx_model import LARGEST
from validation import Batch

TOLERANCE = 1e-5
"""Of a probability, and of other numbers relative to the largest of their kind."""

GENERATED = 1_000
"""Rows of each kind."""

SPLITS = 1_000
"""Of trees, on whose both sides, to the last bit, rows are put."""

CHUNK = 500
HUGE = LARGEST["float64"]
"""Beyond, the generated rows would overflow."""

Predict = Callable[[Batch], list[Any]]


class NotProven(Exception):
    """Why not, in a few words."""


class Parity:
    """Compares on kinds of rows; ``rows`` and ``apart`` say how many were compared, and how far apart they were."""

    def __init__(self, compiled: Predict, estimator: Predict, contract: Contract, methods: Iterable[str]) -> None:
        self._compiled = compiled
        self._estimator = estimator
        self._contract = contract
        self._methods = tuple(methods)
        self.rows = 0
        self.apart = 0.0

    def check(self, kind: str, rows: np.ndarray) -> None:
        """Raises NotProven."""
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        for method, chunk in itertools.product(self._methods, chunks):
            batch = Batch(np.ascontiguousarray(chunk, dtype=self._contract.dtype), method)
            try:
                expected = self._estimator(batch)
            except ScoringError:
                continue  # it refuses such rows
            self.apart = max(self.apart, _difference(self._compiled(batch), expected, f"{method} {kind}"))
            self.rows += len(chunk)


def rows_of_all_kinds(sample: np.ndarray, splits: Iterable[tuple[int, float]]) -> Iterator[tuple[str, np.ndarray]]:
    """``splits``: features and thresholds of the model's trees, as far as it tells."""
    rng = np.random.default_rng(0)
    known = np.ma.masked_invalid(sample.clip(-HUGE, HUGE))
    low, high = known.min(axis=0).filled(0.0), known.max(axis=0).filled(0.0)
    span = np.where(high > low, high - low, 1.0)
    shape = (GENERATED, sample.shape[1])
    whole = sample[~np.isnan(sample).any(axis=1)]
    if len(whole):
        yield "of the sample", whole
    yield "within the sample's range", rng.uniform(low, high, shape)
    yield "beyond the sample's range", rng.uniform(low - 3 * span, high + 3 * span, shape)
    yield "far beyond the sample's range", rng.uniform(low - 1e6 * span, high + 1e6 * span, shape)
    yield "of whole numbers", rng.uniform(low - span, high + span, shape).round()
    yield "at the splits of its trees", _at_splits(np.nan_to_num(sample[:1]), splits)


def with_gaps(sample: np.ndarray, features: list[int]) -> np.ndarray:
    """Rows that each lack a value of one of these features."""
    rng = np.random.default_rng(0)
    rows = rng.choice(sample, GENERATED)
    rows[np.arange(GENERATED), rng.choice(features, GENERATED)] = np.nan
    return rows


def _at_splits(row: np.ndarray, splits: Iterable[tuple[int, float]]) -> np.ndarray:
    """Rows that differ in one value: a threshold, or the next number on either side of it."""
    places = list(itertools.islice(splits, SPLITS))
    rows = np.repeat(row, 3 * len(places), axis=0)
    for i, (feature, threshold) in enumerate(places):
        rows[3 * i : 3 * i + 3, feature] = threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf)
    return rows


def _difference(answers: list[Any], expected: list[Any], what: str) -> float:
    """The largest, relative to the scale of the answers. Raises NotProven."""
    found, wanted = np.asarray(answers), np.asarray(expected)
    if found.shape != wanted.shape:
        raise NotProven(f"{what}: answers of another shape")
    if wanted.dtype.kind != "f":
        wrong = int((found != wanted).sum())
        if wrong:
            raise NotProven(f"{what}: {wrong} of {len(wanted)} answers differ")
        return 0.0
    apart = float(np.abs(found - wanted).max()) / max(1.0, float(np.abs(wanted).max()))
    if not apart <= TOLERANCE:
        raise NotProven(f"{what}: apart by {apart:.1e}")
    return apart
