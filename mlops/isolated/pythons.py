"""Chooses a Python for an environment, and says which one and why."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.version import Version

from azureml_scoring.errors import StartupError
from mlops.isolated.saved_with import SavedWith
from mlops.say import Say

WHEELS = (
    ("0.22", 8, 8),
    ("0.24", 8, 9),
    ("1.0.2", 8, 10),
    ("1.1.3", 8, 11),
    ("1.3.1", 8, 12),
    ("1.4", 9, 12),
    ("1.5.2", 9, 13),
    ("1.7", 10, 13),
    ("1.7.2", 10, 14),
    ("1.8", 11, 14),
)
"""From which scikit-learn on there are wheels for which Pythons, 3.8 to 3.8 and so on. The worker
needs 3.8."""

VERSION_SCRIPT = "import sys; print('%d.%d' % sys.version_info[:2], sys._base_executable)"


def choose(saved: SavedWith, say: Say) -> tuple[str, Path]:
    """Return version, such as "3.9", and path of a Python that is here. Raises StartupError."""
    candidates, why = _candidates(saved)
    for version in candidates:
        if path := find(version):
            say(f"Python {version} ({path}): {why}{_in_place_of(saved, version)}")
            return version, path
    raise StartupError(
        f"No Python is here that can read the model (looked for {', '.join(candidates)}, as "
        f"python3.X on the path, by pyenv and by uv): {why}; install one, for example "
        f"by `uv python install {candidates[0]}`."
    )


def uv() -> list[str]:
    """Return the words that start uv; none if it is not installed."""
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    return [path] if (path := shutil.which("uv")) else []


def find(version: str) -> Path | None:
    """Return a Python of this version: the one that runs, one on the path, or one that pyenv or
    uv knows."""
    return next((path for command in _commands(version) if (path := _run(command, version))), None)


def _commands(version: str) -> Iterator[list[str]]:
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        yield [sys.executable]
    if on_path := shutil.which(f"python{version}"):
        yield [on_path]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from ([str(path)] for path in pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    if uv() and (known := _output([*uv(), "python", "find", "--no-python-downloads", version])):
        yield [known]


def _run(command: list[str], version: str) -> Path | None:
    """Return the path of a Python that starts: one on the path may only stand for others."""
    found, _, path = _output([*command, "-c", VERSION_SCRIPT]).partition(" ")
    return Path(path) if found == version else None


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _candidates(saved: SavedWith) -> tuple[list[str], str]:
    """Return versions to look for, the best first, and why these."""
    running = f"3.{sys.version_info[1]}"
    fitting = [f"3.{minor}" for minor in _with_wheels(saved.scikit_learn)] or [running]
    if saved.python:
        others = [each for each in fitting if each != saved.python]
        return [saved.python, *others], f"{saved.source} names {saved.python}"
    return fitting, (
        f"nothing says which one saved the model, and it is the newest here of those for which "
        f"scikit-learn {saved.scikit_learn or ''} has wheels ({fitting[-1]} to {fitting[0]})"
    )


def _with_wheels(version: Version | None) -> Sequence[int]:
    """Return the minor versions of Python 3 that fit, the newest first."""
    if version is None:
        return ()
    _, oldest, newest = [row for row in WHEELS if Version(row[0]) <= version or row is WHEELS[0]][
        -1
    ]
    return range(newest, oldest - 1, -1)


def _in_place_of(saved: SavedWith, version: str) -> str:
    return ", which is not here" if saved.python not in (None, version) else ""
