"""What of a batch is cached apart: the whole of it, or each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from azureml_scoring.caching.key import KeyMaker
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.predictions import to_json


class Units(Protocol):
    keys: list[bytes]
    """Each once."""

    rows: int | None
    """To how many of them a unit is the list of answers; None: it is the one answer to a row."""

    def part(self, keys: Sequence[bytes]) -> Batch:
        """What is to be computed for these keys."""

    def split(self, keys: Sequence[bytes], answers: list[Any]) -> dict[bytes, bytes]:
        """The answers to that part -> JSON by key. Raises ModelFailed."""

    def join(self, known: Mapping[bytes, bytes]) -> bytes:
        """JSON by key -> the JSON of the predictions, in the order of the batch."""


class WholeBatch:
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
    """A row that stands in the batch twice is one unit."""

    def __init__(self, keys: KeyMaker, batch: Batch) -> None:
        self._order = keys.of_rows(batch)
        self._row_of = dict(zip(self._order, range(len(self._order)), strict=True))
        self.keys = list(self._row_of)
        self.rows: int | None = None
        self._batch = batch

    def part(self, keys: Iterable[bytes]) -> Batch:
        return Batch(self._batch.X[[self._row_of[key] for key in keys]], self._batch.method)

    def split(self, keys: Sequence[bytes], answers: list[Any]) -> dict[bytes, bytes]:
        return {key: to_json(answer) for key, answer in zip(keys, answers, strict=True)}

    def join(self, known: Mapping[bytes, bytes]) -> bytes:
        return b"[" + b",".join(known[key] for key in self._order) + b"]"
