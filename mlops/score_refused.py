"""How a command ends that got no predictions, made of the client's error."""

from __future__ import annotations

from collections.abc import Callable

from azureml_scoring.client import AccessDenied, RequestRefused, ScoreError
from mlops.exit_status import ExitStatus
from mlops.plain_text import one_line


def sentence(error: ScoreError, place: Callable[[int], str | None] = lambda row: None) -> str:
    """Return one line that is safe to print.

    place: takes a row of the request, from 0, and returns the words that name it, or None.
    """
    message = one_line(error.message)
    words = None if error.row is None else place(error.row)
    places = [error.status and str(error.status), error.code, f"in {words}" if words else None]
    if error.pointer is not None and words is None:
        places.append(f"at {error.pointer or '/'}")
    rest = " ".join(one_line(part) for part in places if part)
    return f"{message} ({rest})" if rest else message


def status(error: ScoreError) -> ExitStatus:
    """Return the exit status: a request that must change is not a server that fails."""
    if isinstance(error, AccessDenied):
        return ExitStatus.NOT_SIGNED_IN
    return ExitStatus.UNUSABLE if isinstance(error, RequestRefused) else ExitStatus.SERVER
