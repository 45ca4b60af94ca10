"""Bounds the nesting and the number of values of a body; of a large one before a parser makes
objects of it.

A few kilobytes of gzip can hold millions of empty lists, which take a hundred times their bytes as
objects. The body is read in pieces, so that no thread waits long for the interpreter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from azureml_scoring.errors import TooDeep, TooManyElements

PIECE_BYTES = 65_536


def all_but(marks: bytes) -> bytes:
    """Return all other bytes."""
    return bytes(set(range(256)).difference(marks))


INSIGNIFICANT_BYTES = all_but(b'"[]{},')
DEPTH_STEPS = bytes({91: 1, 123: 1, 93: 255, 125: 255}.get(byte, 0) for byte in range(256))
"""Change of the depth by byte: 1 for an opening bracket, 255 (-1 as int8) for a closing one."""

QUOTE = ord('"')

CONTAINERS = {list, dict}
LEVELS_AROUND_ROWS, MAX_KEYS_AROUND_ROWS = 3, 4
"""``{"input_data": {"data": [...]}}``, and the keys that stand beside one of these."""


def check_bounds(body: bytes, *, max_depth: int, max_parts: int) -> None:
    """Check a body. Raises TooDeep or TooManyElements.

    ``max_parts``: lists, objects and commas together.
    """
    depth = parts = 0
    outside_strings = MarksOutsideStrings(INSIGNIFICANT_BYTES)
    for start in range(0, len(body), PIECE_BYTES):
        marks = outside_strings.filter(body[start : start + PIECE_BYTES])
        steps = np.frombuffer(marks.translate(DEPTH_STEPS), np.int8).cumsum(dtype=np.int32)
        if depth + int(steps.max(initial=0)) > max_depth:
            raise TooDeep(f"The JSON is nested too deeply. Maximum {max_depth} levels allowed.", "")
        depth += int(steps[-1]) if len(steps) else 0
        parts += marks.count(b",") + marks.count(b"[") + marks.count(b"{")
        if parts > max_parts:
            raise TooManyElements(
                f"The body has more than {max_parts:,} values; send its rows in several requests.",
                "",
            )


def surely_within(body: bytes, document: Any, *, max_depth: int, max_parts: int) -> bool:
    """Tell quickly whether a small body is within the bounds; False if they have to be checked.

    ``document``: what the body holds. Of lists and objects side by side, the deepest value lies in
    one.
    """
    brackets = body.count(b"[") + body.count(b"{")
    return len(body) <= max_parts and (
        brackets <= max_depth or brackets - _side_by_side(document) <= max_depth
    )


def _side_by_side(document: Any) -> int:
    """Return how many lists and objects have another one before them with the same parent: rows,
    records, columns, or what a row has in an index."""
    count, level = 0, [document]
    for _ in range(LEVELS_AROUND_ROWS):
        parents, level = level, []
        for parent in parents:
            children = parent.values() if type(parent) is dict else parent
            if len(parent) <= MAX_KEYS_AROUND_ROWS:
                level += [child for child in children if type(child) in CONTAINERS]
            elif CONTAINERS.issuperset(map(type, children)):
                count += len(parent) - 1
    return count


class MarksOutsideStrings:
    """Filters the marks of a JSON body that are outside of its strings, piece by piece."""

    def __init__(self, other_bytes: bytes) -> None:
        """``other_bytes``: those that are neither a mark nor a quote."""
        self._other_bytes = other_bytes
        self._inside = 0
        self._backslash = b""
        """A backslash at the end of the last piece, whose escaped byte is in the next one."""

    def filter(self, piece: bytes) -> bytes:
        marks = self._without_escapes(piece).translate(None, self._other_bytes)
        if not self._inside and b'"' not in marks:
            return marks
        array = np.frombuffer(marks, np.uint8)
        inside = ((array == QUOTE).cumsum(dtype=np.uint8) + self._inside) & 1
        self._inside = int(inside[-1]) if len(inside) else self._inside
        return bytes(array[inside == 0])

    def _without_escapes(self, piece: bytes) -> bytes:
        if not self._backslash and b"\\" not in piece:
            return piece
        piece = (self._backslash + piece).replace(b"\\\\", b"")
        self._backslash = b"\\" if piece.endswith(b"\\") else b""
        return piece.replace(b'\\"', b"")
