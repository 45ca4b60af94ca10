"""Makes the environment of an old model, once, and keeps it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from azureml_scoring.errors import StartupError
from mlops.isolated import pythons
from mlops.isolated.saved_with import SavedWith
from mlops.say import Say

COMPLETE = "complete"
"""A file that is written last, so that half an environment is made anew."""

NO_INDEX = re.compile(
    "Failed to fetch|network was disabled|not found in the cache|NewConnectionError|Max retries|"
    "from versions: none"
)


def environment(saved: SavedWith, say: Say) -> Path:
    """Return the Python of an environment with these packages. Raises StartupError.

    It lies in the user's cache folder, under a name that follows from Python and packages.
    """
    version, base = pythons.choose(saved, say)
    digest = hashlib.sha256("\n".join([version, *saved.lines]).encode()).hexdigest()[:16]
    folder = _cache() / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if (folder / COMPLETE).exists():
            say(f"Its environment is there already: {folder}")
        else:
            say(f"Making its environment, once (a minute or two): {', '.join(saved.lines)}")
            shutil.rmtree(folder, ignore_errors=True)
            _make(base, folder, saved.lines)
            (folder / COMPLETE).touch()
    return folder / "bin" / "python"


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "azureml-scoring" / "environments"


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Wait while another process makes the same environment."""
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _make(base: Path, folder: Path, lines: Sequence[str]) -> None:
    """Make the environment by uv where it is installed, else by venv and pip."""
    python = folder / "bin" / "python"
    if uv := pythons.uv():
        _run([*uv, "venv", "--quiet", "--python", str(base), str(folder)])
        install = [*uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        _run([str(base), "-m", "venv", str(folder)])
        install = [str(python), "-m", "pip", "install", "--quiet"]
    # Building an old release from its source takes an hour, and most often fails.
    _run([*install, "--only-binary", ":all:", *lines])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        return
    if NO_INDEX.search(done.stderr):
        raise StartupError(
            "The index of packages can't be reached, so the model's environment was not made; run "
            "this where `pip install` works, with UV_DEFAULT_INDEX or PIP_INDEX_URL set to your "
            "own index if you have one."
        )
    why = " ".join(re.findall(r"[\w(].*", done.stderr))[:300] or f"status {done.returncode}"
    raise StartupError(
        f"The model's environment can't be made ({why.rstrip('.')}); name versions that go "
        f"together by --requirements FILE."
    )
