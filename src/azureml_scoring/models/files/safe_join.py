"""Files that a description beside a model names: they lie in the folder of that description."""

from __future__ import annotations

from pathlib import Path

from azureml_scoring.errors import StartupError


def safe_join(folder: Path, name: str) -> Path:
    """``folder / name``. Raises StartupError where that leads out: by ``..``, as an absolute path,
    or by a link."""
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
