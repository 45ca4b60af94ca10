"""Makes text from outside safe to print on a terminal."""

from __future__ import annotations

import json

MAX_CHARACTERS = 500


def plain(text: str) -> str:
    """Return the text in one line, without characters that move a cursor or change a colour."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def one_line(text: str) -> str:
    """Return at most 500 characters of the text, made ``plain``."""
    words = plain(text[: 4 * MAX_CHARACTERS])
    return words if len(words) <= MAX_CHARACTERS else f"{words[:MAX_CHARACTERS]} ..."


def printable_json(line: str) -> str:
    """Return the same JSON, with the characters escaped that a terminal would obey."""
    if line.isprintable():
        return line
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in line)
