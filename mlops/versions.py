"""The versions that a bug report needs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from mlops.extras import NAME

LIBRARIES = (
    "azureml-inference-server-http",
    "scikit-learn",
    "numpy",
    "pandas",
    "onnxruntime",
    "httpx",
    "azure-ai-ml",
)
"""What most faults depend on."""


def lines() -> list[str]:
    """Return this package's version, those of Python and the system, and of each library."""
    system = os.uname()
    return [
        f"mlops {_version(NAME)}",
        f"Python {platform.python_version()}, {system.sysname} {system.release} {system.machine}",
        *(f"{library} {_version(library)}" for library in LIBRARIES),
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"
