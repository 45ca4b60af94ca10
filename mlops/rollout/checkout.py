"""Finds where a deployment's file comes from: its path in the repository, and the commit that is
checked out."""

from __future__ import annotations

import subprocess
from pathlib import Path


def origin(file: Path) -> tuple[str, str]:
    """Return the path from the repository's root, and the commit, with ``+changes`` if tracked
    files differ from it. Outside a repository the path stays as it is, and the commit is empty."""
    root = _root(file.parent)
    if root is None:
        return file.as_posix(), ""
    commit = _git(root, "rev-parse", "HEAD") or ""
    changed = "+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    return (file.parent.resolve() / file.name).relative_to(root).as_posix(), commit + (
        changed if commit else ""
    )


def located(path: str) -> Path | None:
    """Return the file that ``origin`` called ``path``, if it is in this repository or below this
    folder."""
    root = _root(Path())
    places = [Path(path)] if root is None else [root / path, Path(path)]
    return next((place for place in places if place.is_file()), None)


def _root(folder: Path) -> Path | None:
    root = _git(folder, "rev-parse", "--show-toplevel")
    return Path(root).resolve() if root else None


def _git(folder: Path, *words: str) -> str | None:
    """Return git's output; None outside a repository, or without git."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
