"""What import-linter can't hold: two modules beside the package, docs/architecture.md, and the list
of what the wheel holds."""

from __future__ import annotations

import ast
import configparser
import re
from pathlib import Path

import pytest

from places import REPOSITORY, SRC

CONFIG = configparser.ConfigParser()
CONFIG.read(REPOSITORY / "setup.cfg")

BESIDE = {"validation": "inputs", "cache": "caching"}
"""Module beside the package -> the room that it belongs to."""

FLOORS = {
    room: -floor
    for floor, line in enumerate(CONFIG["importlinter:contract:layers"]["layers"].split("\n"))
    for room in re.findall(r"\w+", line)
}
"""Room, or module at the top of the package -> how high its layer is."""


def floor(module: str) -> int | None:
    """Return a module's layer; None for modules that are not ours."""
    first, _, rest = module.partition(".")
    if first == "azureml_scoring":
        return FLOORS.get(rest.partition(".")[0])
    return FLOORS.get(BESIDE.get(first, ""))


def imports(source: str) -> list[str]:
    """Names of the imported modules, those inside of functions too."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [
        f"{node.module}.{alias.name}" if node.module == "azureml_scoring" else node.module or ""
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


def upward(module: str, source: str) -> list[str]:
    """Imports of modules in a higher layer than ``module``'s."""
    own = floor(module)
    assert own is not None
    return [name for name in imports(source) if (other := floor(name)) is not None and other > own]


@pytest.mark.parametrize("module", BESIDE)
def test_a_module_beside_the_package_imports_downwards(module: str):
    """It keeps to the layers like the room that it belongs to."""
    assert upward(module, (SRC / f"{module}.py").read_text()) == []


@pytest.mark.parametrize("module", BESIDE)
def test_no_lower_room_imports_a_module_beside_the_package(module: str):
    """Only its own room and those above import it."""
    files = {
        ".".join(file.relative_to(SRC).with_suffix("").parts): file.read_text()
        for file in (SRC / "azureml_scoring").rglob("*.py")
    }
    importers = [name for name, source in files.items() if module in imports(source)]
    assert importers
    assert [name for name in importers if module in upward(name, files[name])] == []


def test_an_upward_import_is_seen():
    """The check finds each way to write one, wherever it stands."""
    for source in (
        "import azureml_scoring.service",
        "from azureml_scoring import service",
        "def run():\n    from azureml_scoring.service import Service",
    ):
        assert len(upward("validation", source)) == 1


PAGE = (REPOSITORY / "docs" / "architecture.md").read_text()


def test_the_page_on_the_architecture_names_files_that_exist():
    """Each path in it, of the repository, of src/ or of the package."""
    paths = re.findall(r"`((?:[\w.]+/)*[\w.]+(?:\.(?:py|md|html|cfg)|/))`", PAGE)
    assert len(paths) > 40
    folders = (REPOSITORY, SRC / "azureml_scoring")
    assert [path for path in paths if not any((it / path).exists() for it in folders)] == []


def test_the_page_on_the_architecture_lists_the_layers():
    """The order is that of setup.cfg; optional layers, in parentheses there, are left out."""
    table = PAGE.split("| layer |")[1]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    listed = [re.findall(r"`(\w+)`", row) for row in rows]
    layers = CONFIG["importlinter:contract:layers"]["layers"].split("\n")
    expected = [re.findall(r"\w+", line) for line in layers if line and line[0] != "("]
    assert listed == expected


def package(folder: Path) -> str:
    """What a folder of the repository is in the wheel."""
    return ".".join(folder.relative_to(REPOSITORY).parts).replace("src", "mlops.serving", 1)


def test_the_wheel_holds_every_room():
    """setup.cfg lists each folder with code, and each file that lies there and is not code."""
    files = [
        file
        for source in (SRC, REPOSITORY / "mlops")
        for file in source.rglob("*")
        if file.is_file() and file.suffix != ".pyc" and not file.name.startswith(".")
    ]
    code = {file.parent for file in files if file.suffix == ".py"}
    assert {package(folder) for folder in code} == set(CONFIG["options"]["packages"].split())
    data = {(package(file.parent), file.name) for file in files if file.suffix != ".py"}
    listed = CONFIG["options.package_data"].items()
    assert data == {(folder, name) for folder, names in listed for name in names.split()}
