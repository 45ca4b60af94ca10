"""Tells the user how far a command is."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
"""Prints one line."""


def silent(line: str) -> None:
    """Print nothing."""
