"""Text of others, made fit for a terminal."""

from __future__ import annotations

import json

LONGEST = 500
"""Characters."""


def plain(text: str) -> str:
    """In one line, without signs that would move a cursor or change a colour."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def one_line(text: str) -> str:
    """As ``plain``, and at most 500 characters of it."""
    words = plain(text[: 4 * LONGEST])
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} ..."


def printable_json(line: str) -> str:
    """The same JSON, with escapes for what a terminal would obey."""
    if line.isprintable():
        return line
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in line)
