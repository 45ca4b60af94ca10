"""Finds the packages that a model needs and that the service does not bring."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from azureml_scoring.errors import StartupError, reason
from azureml_scoring.models.files.requirements import installed_version, pip_install
from mlops import extras

LOCK = extras.HERE / "environment" / "requirements.txt"
"""What both images install; only a checkout has it."""


def of_modules(names: Iterable[str]) -> dict[str, str]:
    """Return package -> version of the installed packages that modules are from.

    A module whose package is not plain, as of a namespace that many share, is left out.
    """
    brought, packages = _brought(), _packages_by_module()
    needed = dict[str, str]()
    for name in sorted({name.partition(".")[0] for name in names}):
        if len(owners := {*packages.get(name, ())}) == 1:
            (package,) = owners
            if canonicalize_name(package) not in brought:
                needed[package] = version(package)
    return needed


@functools.cache
def _packages_by_module() -> Mapping[str, list[str]]:
    """Return module -> packages. It reads what is installed, which takes a second or two."""
    return packages_distributions()


def of_file(file: Path) -> dict[str, str]:
    """Return package -> installed version for the lines of a requirements file.

    Raises StartupError if one is not installed as it says, for then the model was tried without.
    """
    brought, needed = _brought(), dict[str, str]()
    for requirement in parse(file):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        installed = installed_version(requirement.name)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            here = "is not installed" if installed is None else f"is {installed}"
            raise StartupError(
                f"{file} names {requirement}, but here {requirement.name} {here}; run "
                f"`{pip_install(['-r', str(file)])}`, or correct the file."
            )
        if canonicalize_name(requirement.name) not in brought:
            needed[requirement.name] = installed
    return needed


def imported_by(files: Iterable[Path]) -> Iterator[str]:
    """Yield modules that Python sources import, also inside of functions, but for those that they
    can do without."""
    for file in files:
        if file.suffix == ".py":
            yield from _imports(ast.parse(file.read_bytes()))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif not (isinstance(node, ast.Try) and node.handlers):  # they catch its ImportError
            yield from _imports(node)


def parse(file: Path) -> Iterator[Requirement]:
    """Yield the lines of a requirements file. Raises StartupError for one that is not a package
    with versions alone."""
    try:
        text = re.sub(r"\\\r?\n", " ", file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartupError(
            f"{file} can't be read ({reason(error)}); name a file with a package a line."
        ) from None
    for line in text.splitlines():
        words = re.sub(r"(^|\s)(#.*|--hash=\S+)", "", line).strip()
        if not words:
            continue
        try:
            requirement = Requirement(words)
        except InvalidRequirement:
            requirement = None
        if requirement is None or requirement.url:
            raise StartupError(
                f"{file} has the line {words[:100]!r}, which is not read here; write packages with "
                f"versions alone, such as lightgbm==4.6.0."
            )
        yield requirement


def _brought() -> set[str]:
    """Return the packages of the lock, or without a checkout all that ours requires."""
    if LOCK.is_file():
        lines = re.findall(r"^([A-Za-z0-9][\w.-]*)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
        return {canonicalize_name(name) for name in (*lines, extras.NAME)}
    return _closure(extras.NAME)


def _closure(package: str) -> set[str]:
    names, waiting = set[str](), [package]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in names:
            continue
        names.add(name)
        with suppress(PackageNotFoundError):
            for line in requires(name) or ():
                requirement = Requirement(line)
                if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                    waiting.append(requirement.name)
    return names
