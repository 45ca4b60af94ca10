"""Chooses which files of the user's own code go into an artifact."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from azureml_scoring.errors import StartupError, reason
from azureml_scoring.models.files.load_failure import RESERVED, name_taken
from mlops.say import Say, silent

MAX_FILES = 1_000
MAX_BYTES = 20_000_000
"""Code of a model is smaller by far: beyond these a folder holds data or a whole environment."""

NOT_CODE = ("build", "dist", "node_modules", "test", "tests")
"""Folders that are left out, as hidden ones, caches and virtual environments are."""

INSTALLED = sorted({sysconfig.get_path(name) for name in ("purelib", "platlib")})


def of_folders(folders: Iterable[Path], say: Say = silent) -> dict[str, Path]:
    """Return the code of folders that are to be on the path: place below them -> file.

    A folder that is a package itself stands for its parent, without what lies beside it. Modules
    are taken from anywhere, other files from within packages only: what lies beside a script may
    be its data. Raises StartupError.
    """
    code = dict[str, Path]()
    for folder in folders:
        files = of_folder(folder.resolve())
        if not files:
            raise StartupError(
                f"{folder} holds no Python module; name the folder that holds the model's own."
            )
        for place in sorted({*files} & {*code}):
            raise StartupError(
                f"{place} is in two folders that --code names; leave one of them out."
            )
        _check_names(folder, {place.partition("/")[0].removesuffix(".py") for place in files})
        for file in files.values():
            _check_source(file)
        say(f"Taking {len(files)} files of code from {folder}")
        code |= files
    return code


def of_folder(folder: Path) -> dict[str, Path]:
    """Return place -> file of one folder. Raises StartupError."""
    while (folder.parent / "__init__.py").is_file():  # a part of a package is not imported alone
        folder = folder.parent
    package = (folder / "__init__.py").is_file()
    files, total_bytes = dict[str, Path](), 0
    for file in _files(folder, package):
        files[file.relative_to(folder.parent if package else folder).as_posix()] = file
        total_bytes += file.stat().st_size
        if len(files) > MAX_FILES or total_bytes > MAX_BYTES:
            raise StartupError(
                f"{folder} holds more than {MAX_FILES:,} files or {MAX_BYTES // 1_000_000} MB of "
                f"code; name a folder that holds the model's modules alone."
            )
    return files


def path_entry(folder: Path) -> str:
    """Return what must be on the path for the code of a folder."""
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return str(folder.resolve())


def _files(folder: Path, packaged: bool) -> Iterator[Path]:
    packaged = packaged or (folder / "__init__.py").is_file()
    for path in sorted(folder.iterdir()):
        if _left_out(path):
            continue
        wanted = path.suffix == ".py" or packaged
        if path.is_symlink() and (wanted or path.is_dir()):
            raise StartupError(
                f"{path} is a symbolic link, which is not copied; put there what it leads to."
            )
        if path.is_dir():
            yield from _files(path, packaged)
        elif wanted and path.is_file():
            yield path


def _left_out(path: Path) -> bool:
    name = path.name
    if path.is_dir():
        environment = (path / "pyvenv.cfg").exists()
        return name.startswith((".", "__pycache__")) or name in NOT_CODE or environment
    test = name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")
    return (
        name.startswith(".") or path.suffix in (".pyc", ".pyo") or (path.suffix == ".py" and test)
    )


def _check_source(file: Path) -> None:
    """Raise StartupError for a module that Python can't read."""
    try:
        if file.suffix == ".py":
            ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise StartupError(
            f"{file} can't be read as Python ({reason(error)}); correct it, or leave it out."
        ) from None


def _check_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse modules in whose place others would be imported. Raises StartupError."""
    for name in sorted(names):
        spec = PathFinder.find_spec(name, INSTALLED)
        if name in RESERVED:
            owner = "the service"
        elif name in sys.stdlib_module_names:
            owner = "Python"
        elif (
            spec
            and spec.origin
            and not Path(spec.origin).resolve().is_relative_to(folder.resolve())
        ):
            owner = "an installed package"
        else:
            continue
        raise StartupError(f"{folder} holds {name_taken(name, owner)}.")
