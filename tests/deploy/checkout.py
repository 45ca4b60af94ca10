"""A copy of the deployed files, for tests that put mistakes into it, and `mlops check` for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from mlops.check import run
from mlops.check.document import Problem
from mlops.cli import main
from mlops.project import project_file

REPOSITORY = Path(__file__).parents[2]
NAMES = project_file.read(REPOSITORY / project_file.FILE).names
"""Of whoever's repository this is: yours may be called otherwise."""

FILES = sorted(
    str(path.relative_to(REPOSITORY / "endpoints"))
    for path in REPOSITORY.glob("endpoints/**/*.yml")
)
BLUE, AKS = "blue-deployment.yml", "kubernetes/blue-deployment.yml"
BATCH, BATCH_ENDPOINT = "batch-deployment.yml", "batch-endpoint.yml"
ENDPOINT, AKS_ENDPOINT = "online-endpoint.yml", "kubernetes/online-endpoint.yml"

GONE = object()
"""As a value: the key is taken out."""


NOT_READ = shutil.ignore_patterns("__pycache__", "azureml_scoring")
"""By `mlops check`; copying it for each test takes a while."""


class Checkout:
    """``endpoints/`` and the files that it refers to."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.root = folder
        for name in ("endpoints", "environment", "src"):
            shutil.copytree(REPOSITORY / name, folder / name, ignore=NOT_READ)
        shutil.copytree(model, folder / "artifact")

    @property
    def endpoints(self) -> Path:
        return self.root / "endpoints"

    def change(self, name: str, *key: str, value: object) -> Path:
        """Write ``value`` at ``key`` of a file of ``endpoints/``."""
        return self.rewrite(name, lambda data: put(data, key, value))

    def rewrite(self, name: str, change: Callable[[dict[str, Any]], None]) -> Path:
        path = self.endpoints / name
        data = yaml.safe_load((REPOSITORY / "endpoints" / name).read_text())
        change(data)
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return path


def put(data: dict[str, Any], key: tuple[str, ...], value: object) -> None:
    *parents, last = key
    for part in parents:
        if not isinstance(data.get(part), dict):
            data[part] = {}
        data = data[part]
    if value is GONE:
        del data[last]
    else:
        data[last] = value


def check(path: Path) -> list[Problem]:
    return run.check(run.files([path]))


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])
