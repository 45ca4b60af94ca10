"""Compares the packages that a model was packaged with to those that are installed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from azureml_scoring.errors import StartupError


def check(requirements: Mapping[str, str]) -> None:
    """Raise StartupError unless each package is installed in its version.

    requirements: package -> version. Builds of one version, such as 2.9.1+cpu, count as equal.
    """
    installed = {package: installed_version(package) for package in requirements}
    wrong = [
        package
        for package, wanted in requirements.items()
        if (installed[package] or "").partition("+")[0] != wanted.partition("+")[0]
    ]
    if wrong:
        described = [
            f"{package} {requirements[package]}, "
            + (f"not {installed[package]}" if installed[package] else "which is not installed")
            for package in wrong
        ]
        pins = [f"{package}=={requirements[package]}" for package in wrong]
        raise StartupError(
            f"The model needs {' and '.join(described)}; run `{pip_install(pins)}` here, and "
            f"`mlops environment` for an image."
        )


def installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def pip_install(words: Iterable[str]) -> str:
    """Return the command that installs packages where this runs."""
    return shlex.join([sys.executable, "-m", "pip", "install", *words])
