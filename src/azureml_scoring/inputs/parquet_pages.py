"""Reads from a Parquet file how large its pages unpack, before they are.

pyarrow does not show the headers of pages, and ends the process at some damaged footers when it is
asked for what a column's metadata says. Both are structs of Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

MAGIC = b"PAR1"

DELTA_BYTE_ARRAY = 7
"""An encoding, in which a text is what it has in common with the one before, and the rest."""

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)
"""Types of the compact protocol."""

UNPACKED, PACKED, DATA_PAGE, DATA_PAGE_V2 = (2, I32), (3, I32), (5, STRUCT), (8, STRUCT)
"""Fields of PageHeader, each with its type: Thrift skips a field of another one."""

ENCODING, ENCODING_V2 = (2, I32), (4, I32)
ROW_GROUPS, COLUMNS, COLUMN_METADATA = (4, LIST), (1, LIST), (3, STRUCT)
SIZE, DATA_OFFSET, DICTIONARY_OFFSET = (7, I64), (9, I64), (11, I64)

MAX_NESTING = 10
MAX_FIELDS = 200_000

Struct = dict[tuple[int, int], Any]
"""Field and its type -> its value; None for values that nobody needs."""


class Page(NamedTuple):
    unpacked_bytes: int
    encodings: set[Any]


def column_pages(body: bytes, leaves: set[int], width: int) -> Iterator[Page]:
    """Yield the pages of these columns of a file. Raises ValueError. ``width``: of all columns."""
    if len(body) < 12 or not body.startswith(MAGIC) or not body.endswith(MAGIC):
        raise ValueError("The file does not begin and end as Parquet.")
    end = len(body) - 8
    length = int.from_bytes(body[end : end + 4], "little")
    if length > end:
        raise ValueError("The footer is longer than the file.")
    for group in _needed(_CompactReader(body, end - length).struct(), ROW_GROUPS):
        columns = _needed(group, COLUMNS)
        if len(columns) != width:
            raise ValueError("A row group does not have all columns.")
        for leaf, column in enumerate(columns):
            metadata = _needed(column, COLUMN_METADATA)
            start, dictionary = _needed(metadata, DATA_OFFSET), metadata.get(DICTIONARY_OFFSET, 0)
            if 0 < dictionary < start:
                start = dictionary
            last = start + _needed(metadata, SIZE)
            if not 0 <= start <= last <= end:
                raise ValueError("A column lies outside of the file.")
            if leaf in leaves:
                yield from pages(body, start, last)


def _needed(struct: Any, field: tuple[int, int]) -> Any:
    if not isinstance(struct, dict) or struct.get(field) is None:
        raise ValueError("A field is missing.")
    return struct[field]


def pages(body: bytes, start: int, end: int) -> Iterator[Page]:
    """Yield the pages of a column between these places. Raises ValueError."""
    while start < end:
        reader = _CompactReader(body, start)
        header = reader.struct()
        unpacked, packed = _needed(header, UNPACKED), _needed(header, PACKED)
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
        self._fields_left = MAX_FIELDS

    def struct(self, depth: int = 0) -> Struct:
        """Return a struct. Raises ValueError, also if a field is there twice."""
        if depth > MAX_NESTING:
            raise ValueError("A struct is nested too deeply.")
        fields: Struct = {}
        numbers: set[int] = set()
        number = 0
        while kind := self._byte():
            step, kind = kind >> 4, kind & 15
            number = number + step if step else self._number()
            if number in numbers:
                raise ValueError("A field is there twice.")
            numbers.add(number)
            fields[number, kind] = None if kind in (TRUE, FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._fields_left -= 1
        if self._fields_left < 0:
            raise ValueError("There are too many fields.")
        if kind in (I16, I32, I64):
            return self._number()
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, SET):
            return self._list(depth)
        if kind == BINARY:
            length = self._varint()  # which moves on, too
            self.at += length
        elif kind in (TRUE, FALSE, BYTE):
            self.at += 1
        elif kind == DOUBLE:
            self.at += 8
        else:
            raise ValueError("No struct of Parquet has maps.")
        return None

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        return [self._value(kind, depth) for _ in range(count)]

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
