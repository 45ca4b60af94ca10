"""Print the folders of unit tests that mirror the Python files changed since the last commit.

Prints all of tests/unit if none changed, or one that has no mirror, such as tests/support.py.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from places import REPOSITORY

UNIT = PurePosixPath("tests/unit")
MIRRORS = {PurePosixPath("src"): UNIT, PurePosixPath("mlops"): UNIT / "mlops", UNIT: UNIT}
"""Folders of code, and where their tests lie."""


def folders(changed: Iterable[str], root: Path = REPOSITORY) -> list[str]:
    """The folders of tests to run, none inside another."""
    files = (PurePosixPath(name) for name in changed)
    tests = {_tests_of(file, root) for file in files if file.suffix == ".py"} or {UNIT}
    return sorted(str(folder) for folder in tests if tests.isdisjoint(folder.parents))


def _tests_of(file: PurePosixPath, root: Path) -> PurePosixPath:
    for code, tests in MIRRORS.items():
        if file.is_relative_to(code):
            folder = tests / file.relative_to(code).parent
            while not (root / folder).is_dir():
                folder = folder.parent
            return folder
    return UNIT


def git(*words: str) -> list[str]:
    command = ["git", "-C", str(REPOSITORY), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


if __name__ == "__main__":
    new = git("ls-files", "--others", "--exclude-standard")
    print(*folders([*git("diff", "--name-only", "HEAD"), *new]))
