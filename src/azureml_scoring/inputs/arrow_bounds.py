"""Reads from the metadata of an Arrow IPC message how large its batch becomes, before anything is
unpacked.

A message's metadata is a flatbuffer, and pyarrow does not show what it holds:
https://github.com/apache/arrow/blob/main/format/Message.fbs
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

DICTIONARY_BATCH, RECORD_BATCH = 2, 3
"""The types of messages that hold a batch."""

HEADER_TYPE, HEADER = 1, 2
BATCH_OF_DICTIONARY = 1
LENGTH, BUFFERS, COMPRESSION = 0, 2, 3
"""Fields of the flatbuffer's tables Message, DictionaryBatch and RecordBatch."""

NOT_COMPRESSED = -1


class Sizes(NamedTuple):
    """``rows``: of a record batch. ``unpacked_bytes``: of all buffers together."""

    rows: int
    unpacked_bytes: int


def sizes_of(message: Any) -> Sizes:
    """Return the sizes that a ``pyarrow.ipc.Message`` announces. Raises ValueError."""
    try:
        return _sizes(memoryview(message.metadata), message.body)
    except struct.error:
        raise ValueError("The metadata of a message is damaged.") from None


def _sizes(metadata: memoryview, body: Any) -> Sizes:
    root = _FlatTable(metadata, _int(metadata, "<I", 0))
    kind = root.number("<B", HEADER_TYPE)
    if kind not in (DICTIONARY_BATCH, RECORD_BATCH):
        return Sizes(0, 0)
    batch = root.table(HEADER)
    if kind == DICTIONARY_BATCH:
        batch = batch.table(BATCH_OF_DICTIONARY)
    rows = batch.number("<q", LENGTH)
    if rows < 0:
        raise ValueError("A batch has fewer than no rows.")
    content = memoryview(body if body is not None else b"")
    unpacked = 0
    for offset, length in batch.pairs(BUFFERS):
        if not batch.has(COMPRESSION) or length == 0:
            unpacked += length
            continue
        size = _int(content, "<q", offset)
        unpacked += length if size == NOT_COMPRESSED else size
        if size < NOT_COMPRESSED:
            raise ValueError("A buffer has fewer than no bytes.")
    return Sizes(rows if kind == RECORD_BATCH else 0, unpacked)


class _FlatTable:
    """A table of a flatbuffer."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - _int(data, "<i", at)
        self._fields_bytes = _int(data, "<H", self._fields)

    def _place(self, field: int) -> int:
        """Return where a field stands, or 0."""
        slot = 4 + 2 * field
        if slot >= self._fields_bytes:
            return 0
        offset = _int(self._data, "<H", self._fields + slot)
        return self._at + offset if offset else 0

    def has(self, field: int) -> bool:
        return self._place(field) > 0

    def number(self, form: str, field: int) -> int:
        place = self._place(field)
        return _int(self._data, form, place) if place else 0

    def _target(self, field: int) -> int:
        place = self._place(field)
        if not place:
            raise ValueError("A message lacks a field.")
        return place + _int(self._data, "<I", place)

    def table(self, field: int) -> _FlatTable:
        return _FlatTable(self._data, self._target(field))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """Return a vector of pairs of 64-bit numbers; empty if it is not there."""
        if not self.has(field):
            return []
        start = self._target(field)
        count = _int(self._data, "<I", start)
        numbers = self._data[start + 4 : start + 4 + 16 * count]
        return list(struct.iter_unpack("<qq", numbers))  # raises struct.error if it is cut off


def _int(data: memoryview, form: str, at: int) -> int:
    """Raises struct.error outside of the data."""
    if at < 0:
        raise struct.error
    (number,) = struct.unpack_from(form, data, at)
    return int(number)
