"""How deep a body is nested and how many values it can hold, from its bytes: before a parser makes
objects of them.

A few kilobytes of gzip can hold millions of empty lists, which take a hundred times their bytes as
objects. It goes through the body in pieces, so that no thread waits long for the interpreter.
"""

from __future__ import annotations

import numpy as np

from azureml_scoring.errors import TooDeep, TooManyElements

PIECE = 65_536
OTHERS = bytes(set(range(256)) - set(b'"[]{},'))
STEPS = bytes({91: 1, 123: 1, 93: 255, 125: 255}.get(byte, 0) for byte in range(256))
"""Into the depth or out of it, by bracket; 255 is -1."""

QUOTE = ord('"')


def check_bounds(body: bytes, *, max_depth: int, max_parts: int) -> None:
    """``max_parts``: of lists, objects and commas together. Raises TooDeep or TooManyElements."""
    if (
        len(body) <= PIECE
        and body.count(b"[") + body.count(b"{") <= max_depth
        and body.count(b",") < max_parts
    ):
        return
    depth = parts = 0
    outside = _Outside()
    for start in range(0, len(body), PIECE):
        marks = outside.of(body[start : start + PIECE])
        steps = np.frombuffer(marks.translate(STEPS), np.int8).cumsum(dtype=np.int32)
        if depth + int(steps.max(initial=0)) > max_depth:
            raise TooDeep(f"The JSON is nested too deep. Maximum {max_depth} levels allowed.", "")
        depth += int(steps[-1]) if len(steps) else 0
        parts += marks.count(b",") + marks.count(b"[") + marks.count(b"{")
        if parts > max_parts:
            raise TooManyElements(
                f"The body has more than {max_parts:,} values; send its rows in several requests.",
                "",
            )


class _Outside:
    """The brackets and commas of a body that stand outside of its strings, from one piece after the
    other."""

    def __init__(self) -> None:
        self._inside = 0
        self._backslash = b""
        """One that ended the last piece, where the byte that it escapes is in the next one."""

    def of(self, piece: bytes) -> bytes:
        marks = self._without_escapes(piece).translate(None, OTHERS)
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
