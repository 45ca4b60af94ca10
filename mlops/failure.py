"""What a command that failed says: one sentence, whatever was raised."""

from __future__ import annotations

import click

from errors import StartupError
from mlops.plain_text import one_line
from mlops.rollout.endpoint import EndpointError

PASSED_ON = (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError, KeyboardInterrupt)
"""What click itself ends a command by."""


def sentence(error: BaseException, command: str | None) -> str:
    """``command``: the one that failed."""
    if isinstance(error, StartupError | EndpointError):
        return _plain(str(error))
    if isinstance(error, ModuleNotFoundError):
        return (
            f"This needs {error.name}; run `pip install 'azureml-scoring[deploy]'`, or `make test` in the repository."
        )
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}; choose another place."
    return (
        f"mlops {command} failed unexpectedly ({described(error)}); `mlops --debug {command} ...` shows where: if the "
        "model and the files are right, report that."
    )


def described(error: BaseException) -> str:
    """Its kind and words, in one line. A model's exceptions may fail at that, too."""
    try:
        words = one_line(str(error))
    except BaseException:
        words = ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _plain(text: str) -> str:
    """Without a line break or a sign that a terminal obeys, which a model or a file may have put there."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
