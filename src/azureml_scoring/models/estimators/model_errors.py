"""Turns whatever a model raises at start or at packaging into one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from azureml_scoring.errors import StartupError, reason


@contextmanager
def startup_error_when(when: str) -> Iterator[None]:
    """Raise StartupError, with one sentence, for whatever a model raises inside the block."""
    try:
        yield
    except (StartupError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise StartupError(
            f"The model failed when {when} ({reason(error)}); fix it and save it again."
        ) from error
