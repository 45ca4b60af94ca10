"""Joins a folder and a file name that a manifest or MLmodel holds, without path traversal."""

from __future__ import annotations

from pathlib import Path

from azureml_scoring.errors import StartupError


def safe_join(folder: Path, name: str) -> Path:
    """Return ``folder / name``.

    Raises StartupError if that leads out of the folder: by ``..``, an absolute path or a link.
    """
    try:
        file = folder / name
        if (
            name
            and file.resolve().is_relative_to(folder.resolve())
            and file.resolve() != folder.resolve()
        ):
            return file
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL, a link to itself
        pass
    raise StartupError(
        f"A description in {folder} names a file that does not lie in that folder; put it there or "
        f"save the model anew."
    )
