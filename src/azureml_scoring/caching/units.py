"""The units of a batch that are cached: the whole batch, or each row by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from azureml_scoring.caching.key import KeyMaker
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.predictions import to_json


class Units(Protocol):
    keys: list[bytes]
    """The keys of the units, without repeats."""

    rows: int | None
    """How many answers a unit's JSON lists; None: it is the answer to one row."""

    def part(self, keys: Sequence[bytes]) -> Batch:
        """Return the batch to compute for these keys."""

    def split(self, keys: Sequence[bytes], answers: list[Any]) -> dict[bytes, bytes]:
        """Split the answers to that batch into JSON by key. Raises ModelFailed."""

    def join(self, known: Mapping[bytes, bytes]) -> bytes:
        """Join JSON by key into the JSON of all predictions, in the order of the batch."""


class WholeBatch:
    """The whole batch as one unit."""

    def __init__(self, keys: KeyMaker, batch: Batch) -> None:
        self.keys = [keys.of_batch(batch)]
        self.rows: int | None = len(batch.X)
        self._batch = batch

    def part(self, keys: Sequence[bytes]) -> Batch:
        return self._batch

    def split(self, keys: Sequence[bytes], answers: list[Any]) -> dict[bytes, bytes]:
        return {self.keys[0]: to_json(answers)}

    def join(self, known: Mapping[bytes, bytes]) -> bytes:
        return known[self.keys[0]]


class RowUnits:
    """Each row as a unit; a row that the batch holds twice is one unit."""

    def __init__(self, keys: KeyMaker, batch: Batch) -> None:
        self._order = keys.of_rows(batch)
        self._row_of = dict(zip(self._order, range(len(self._order)), strict=True))
        self.keys = list(self._row_of)
        self.rows: int | None = None
        self._batch = batch

    def part(self, keys: Iterable[bytes]) -> Batch:
        return self._batch._replace(X=self._batch.X[[self._row_of[key] for key in keys]])

    def split(self, keys: Sequence[bytes], answers: list[Any]) -> dict[bytes, bytes]:
        return {key: to_json(answer) for key, answer in zip(keys, answers, strict=True)}

    def join(self, known: Mapping[bytes, bytes]) -> bytes:
        return b"[" + b",".join(known[key] for key in self._order) + b"]"
