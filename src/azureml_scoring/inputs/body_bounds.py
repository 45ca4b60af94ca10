"""Bounds the nesting and the number of values of a body, before a parser makes objects of it.

A few kilobytes of gzip can hold millions of empty lists, which take a hundred times their bytes as
objects. The body is read in pieces, so that no thread waits long for the interpreter.
"""

from __future__ import annotations

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


def check_bounds(body: bytes, *, max_depth: int, max_parts: int) -> None:
    """Check a body. Raises TooDeep or TooManyElements.

    ``max_parts``: lists, objects and commas together.
    """
    if len(body) <= PIECE_BYTES:
        brackets = body.count(b"[") + body.count(b"{")
        parts_at_most = len(body) if len(body) <= max_parts else brackets + body.count(b",")
        depth_at_most = brackets
        if brackets > max_depth:
            depth_at_most -= _brackets_between_rows(body)
        if depth_at_most <= max_depth and parts_at_most <= max_parts:
            return
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


def _brackets_between_rows(body: bytes) -> int:
    """Count the brackets that open where another closes, and so go no deeper.

    Strings are not left out: what is counted there are brackets that go no deeper either. A quote
    between the two keeps a bracket in a string from passing for one that closes.
    """
    marks = body.translate(None, INSIGNIFICANT_BYTES)
    return marks.count(b"],[") + marks.count(b"},{")


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
