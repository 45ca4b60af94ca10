"""The one sentence that a failed command prints, whatever was raised."""

from __future__ import annotations

import click

from azureml_scoring.errors import StartupError, reason
from mlops import extras
from mlops.endpoint import EndpointError
from mlops.plain_text import plain

EXTRAS = {"batch": "arrow", "load": "load", "slo": "load"}
"""Command -> the extra with its packages, where that is not ``deploy``."""

PASSED_ON = (click.Abort, click.exceptions.Exit, BrokenPipeError, KeyboardInterrupt)
"""Exceptions by which click itself ends a command."""


def sentence(error: BaseException, command: str | None) -> str:
    """Return the sentence for ``error``. ``command`` is the command that failed."""
    if isinstance(error, StartupError | EndpointError):
        return plain(str(error))
    if isinstance(error, ModuleNotFoundError):
        install = extras.command(EXTRAS.get(command or "", "deploy"))
        return f"This needs {error.name}; run `{install}`."
    if (
        isinstance(error, OSError)
        and error.strerror
        and not isinstance(error, ConnectionError | TimeoutError)
    ):
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}; choose another place."
    return (
        f"mlops {command} failed unexpectedly ({reason(error)}); `mlops --debug {command} ...` "
        "shows where. If the model and the files are right, report it."
    )
