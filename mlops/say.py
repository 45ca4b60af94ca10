"""Tells the user how far a command is."""

from __future__ import annotations

from collections.abc import Callable

import click

Say = Callable[[str], None]
"""Prints one line."""


def on_stderr(line: str) -> None:
    """Print the line where no pipe reads it as data, nor ends the work by closing."""
    click.echo(line, err=True)


def silent(line: str) -> None:
    """Print nothing."""
