"""Finds the modules of the model's author among those that were imported."""

from __future__ import annotations

import site
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from azureml_scoring.errors import StartupError
from mlops import SERVING, code_folder
from mlops.say import Say

ELSEWHERE = {
    Path(folder).resolve()
    for folder in [
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
        str(SERVING),
        str(Path(__file__).parent),
    ]
}
"""Folders of modules that are installed, ours, or deployed beside score.py."""


def find(names: Iterable[str], code: dict[str, Path], say: Say) -> dict[str, Path]:
    """Return place -> file of the author's modules, beyond those that ``code`` has.

    names: modules that were imported. Data of a package is left out, for nobody named its folder.
    """
    files = dict[str, Path]()
    for module in _own({name.partition(".")[0] for name in names}):
        own, others = _sources(module, say)
        if not own or own.keys() <= code.keys():
            continue
        say(f"  copying {module}, which the model needs")
        if others:
            say(
                f"  note: {', '.join(others[:3])}{', ...' if len(others) > 3 else ''} is left out; "
                f"if the model reads it, add --code {module}"
            )
        files |= own
    return files


def _own(names: Iterable[str]) -> list[Path]:
    """Return the files of modules, and the folders of packages."""
    own = []
    for name in sorted(names):
        module = sys.modules.get(name)
        first = next(iter(getattr(module, "__path__", ())), getattr(module, "__file__", None))
        if first is None:  # built in
            continue
        place = Path(first).resolve()
        if not any(place.is_relative_to(folder) for folder in ELSEWHERE):
            own.append(place)
    return own


def _sources(module: Path, say: Say) -> tuple[dict[str, Path], list[str]]:
    """Return place -> file of a module's sources, and the places of a package's other files."""
    if module.suffix == ".py":
        return {module.name: module}, []
    try:
        files = code_folder.of_folder(module)
    except StartupError as error:
        say(f"  note: the model needs {module}, which is not copied: {error}")
        return {}, []
    if not (module / "__init__.py").is_file():
        files = {f"{module.name}/{place}": file for place, file in files.items()}
    own = {place: file for place, file in files.items() if file.suffix == ".py"}
    return own, [place for place in files if place not in own]
