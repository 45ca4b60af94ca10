"""Reads structs of Thrift's compact protocol, without their definitions.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)
"""Types of the protocol."""

MAX_NESTING = 10

Struct = dict[tuple[int, int], Any]
"""Field and its type -> its value; None for values that nobody needs."""


class CompactReader:
    """Reads structs from ``at`` on, which it moves behind them."""

    def __init__(self, data: bytes, at: int, max_fields: int) -> None:
        """``max_fields``: of all structs, and of lists their elements."""
        self._data = data
        self.at = at
        self._fields_left = max_fields

    def struct(self, depth: int = 0) -> Struct:
        """Return a struct. Raises ValueError, also if a field is there twice."""
        if depth > MAX_NESTING:
            raise ValueError("A struct is nested too deeply.")
        fields: Struct = {}
        numbers: set[int] = set()
        number = 0
        while kind := self._byte():
            self._count()
            step, kind = kind >> 4, kind & 15
            number = number + step if step else self._number()
            if number in numbers:
                raise ValueError("A field is there twice.")
            numbers.add(number)
            fields[number, kind] = None if kind in (TRUE, FALSE) else self._value(kind, depth)
        return fields

    def _count(self) -> None:
        self._fields_left -= 1
        if self._fields_left < 0:
            raise ValueError("There are too many fields.")

    def _value(self, kind: int, depth: int) -> Any:
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
        values = []
        for _ in range(count):
            self._count()
            values.append(self._value(kind, depth))
        return values

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
