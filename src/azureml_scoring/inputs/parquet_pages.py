"""Reads from the headers of a Parquet column's pages how large they unpack, before they are.

The file's own metadata may say less. A header is a struct of Thrift's compact protocol, and pyarrow
does not show it: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

DELTA_BYTE_ARRAY = 7
"""An encoding, in which a text is what it has in common with the one before, and the rest."""

UNPACKED, PACKED, DATA_PAGE, DATA_PAGE_V2 = 2, 3, 5, 8
"""Fields of PageHeader."""

ENCODING, ENCODING_V2 = 2, 4

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)
"""Types of the compact protocol."""

MAX_NESTING = 8


class Page(NamedTuple):
    unpacked_bytes: int
    encodings: set[Any]


def pages(body: bytes, start: int, end: int) -> Iterator[Page]:
    """Yield the pages of a column between these places. Raises ValueError."""
    while start < end:
        reader = _CompactReader(body, start)
        header = reader.struct()
        unpacked, packed = header.get(UNPACKED), header.get(PACKED)
        if not (isinstance(unpacked, int) and isinstance(packed, int)):
            raise ValueError("A page has no size.")
        if unpacked < 0 or packed < 0:
            raise ValueError("A page has fewer than no bytes.")
        encodings = {
            detail.get(field)
            for detail, field in (
                (header.get(DATA_PAGE), ENCODING),
                (header.get(DATA_PAGE_V2), ENCODING_V2),
            )
            if isinstance(detail, dict)
        }
        yield Page(unpacked, encodings)
        start = reader.at + packed


class _CompactReader:
    """Reads structs of Thrift's compact protocol."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return a struct: field -> value; of other values than numbers and structs None. Raises
        ValueError."""
        if depth > MAX_NESTING:
            raise ValueError("A header is nested too deeply.")
        fields: dict[int, Any] = {}
        field = 0
        while kind := self._byte():
            step, kind = kind >> 4, kind & 15
            field = field + step if step else self._number()
            fields[field] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (TRUE, FALSE):
            return None
        if kind in (I16, I32, I64):
            return self._number()
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind == BINARY:
            length = self._varint()  # which moves on, too
            self.at += length
        elif kind in (BYTE, DOUBLE):
            self.at += 1 if kind == BYTE else 8
        else:
            raise ValueError("A page's header has no lists.")
        return None

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise ValueError("A header is cut off.")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("A number is too long.")

    def _number(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)
