"""Modules of the model's author, which must be deployed with the service."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlops import SERVING


def not_deployed(names: Iterable[str], model: Path) -> Iterator[Path]:
    """Return the imported modules that lie beside the model or in the current folder."""
    folders = {model.absolute().parent, Path.cwd()} - {SERVING}
    for name in names:
        file = Path(getattr(sys.modules[name], "__file__", None) or "")
        module = file.parent if file.name == "__init__.py" else file
        if "." not in name and module.parent in folders:
            yield module
