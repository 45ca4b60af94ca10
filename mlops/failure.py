"""The one sentence and the exit status of a failed command, whatever was raised."""

from __future__ import annotations

from typing import TypeGuard

import click

from azureml_scoring.errors import StartupError, reason
from mlops import extras
from mlops.endpoint import EndpointError, NotSignedIn
from mlops.exit_status import ExitStatus
from mlops.plain_text import plain

EXTRAS = {"batch": "arrow", "load": "load", "slo": "load"}
"""Command -> the extra with its packages, where that is not ``deploy``."""


class CommandError(click.ClickException):
    """A command ends with this sentence and this status."""

    def __init__(self, message: str, status: ExitStatus) -> None:
        super().__init__(message)
        vars(self).update(exit_code=status)  # which click declares for the class


def command_error(error: BaseException, command: str | None) -> CommandError:
    """Return how ``command`` ends after ``error``."""
    return CommandError(sentence(error, command), _status(error))


def sentence(error: BaseException, command: str | None) -> str:
    """Return the sentence for ``error``. ``command`` is the command that failed."""
    if isinstance(error, StartupError | EndpointError):
        return plain(str(error))
    if isinstance(error, ModuleNotFoundError):
        install = extras.command(EXTRAS.get(command or "", "deploy"))
        return f"This needs {error.name}; run `{install}`."
    if _is_of_a_place(error):
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}; choose another place."
    return (
        f"mlops {command} failed unexpectedly ({reason(error)}); `mlops --debug {command} ...` "
        "shows where. If the model and the files are right, report it."
    )


def _status(error: BaseException) -> ExitStatus:
    if isinstance(error, NotSignedIn):
        return ExitStatus.NOT_SIGNED_IN
    if isinstance(error, EndpointError):
        return ExitStatus.SERVER
    if isinstance(error, StartupError | ModuleNotFoundError) or _is_of_a_place(error):
        return ExitStatus.UNUSABLE
    return ExitStatus.UNEXPECTED


def _is_of_a_place(error: BaseException) -> TypeGuard[OSError]:
    """True if a file or folder could not be read or written."""
    return (
        isinstance(error, OSError)
        and bool(error.strerror)
        and not isinstance(error, ConnectionError | TimeoutError)
    )
