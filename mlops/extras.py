"""Says how to install an extra of this package from where the package itself came from.

Anybody could register this package's name at a public index, so no command of ours may ask an index
for it.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "azureml-scoring"
HERE = Path(__file__).parents[1]


def command(extra: str) -> str:
    """Return a command to paste.

    It installs the extra from the checkout or the wheel's file, or else the extra's packages.
    """
    try:
        installed = Distribution.from_name(NAME)
    except PackageNotFoundError:
        installed = None
    return command_of(extra, HERE, installed)


def command_of(extra: str, folder: Path, installed: Distribution | None) -> str:
    """Return the command for this package in ``folder``, installed as ``installed``."""
    if (folder / "setup.cfg").is_file():
        words = ["-e", f"{'.' if folder == Path.cwd() else folder}[{extra}]"]
    elif wheel := _wheel(installed):
        words = [f"{wheel}[{extra}]"]
    else:
        words = _packages(extra, installed)
    return shlex.join([sys.executable, "-m", "pip", "install", *words])


def _wheel(installed: Distribution | None) -> Path | None:
    """Return the wheel that the package was installed from, if it still exists."""
    origin = json.loads((installed and installed.read_text("direct_url.json")) or "{}")
    address = urlsplit(origin.get("url", ""))
    file = Path(url2pathname(address.path))
    return file if address.scheme == "file" and file.exists() else None


def _packages(extra: str, installed: Distribution | None) -> list[str]:
    """Return the requirements that the extra stands for."""
    requirements = (line.partition(";") for line in (installed and installed.requires) or [])
    return [
        name.strip()
        for name, _, marker in requirements
        if re.search(rf"extra == ['\"]{extra}['\"]", marker)
    ]
