import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from mlops import extras
from places import REPOSITORY

START = [sys.executable, "-m", "pip", "install"]
REQUIRES = """Requires-Dist: numpy>=2
Requires-Dist: locust>=2.40; extra == "load"
Requires-Dist: anyio; extra == 'load'
Requires-Dist: httpx; extra == "deploy"
"""


def installed(folder: Path, origin: str | None = None) -> Distribution:
    """Write the metadata that pip records of an installed package."""
    info = folder / "azureml_scoring-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {extras.NAME}\nVersion: 0.1.0\n{REQUIRES}"
    )
    if origin:
        (info / "direct_url.json").write_text(json.dumps({"url": origin, "archive_info": {}}))
    return Distribution.at(info)


def test_a_checkout_is_installed_from_itself(monkeypatch: pytest.MonkeyPatch):
    """The command names the checkout from any working directory."""
    monkeypatch.chdir(REPOSITORY)
    assert shlex.split(extras.command("load")) == [*START, "-e", ".[load]"]
    monkeypatch.chdir("/")
    assert shlex.split(extras.command("load")) == [*START, "-e", f"{REPOSITORY}[load]"]


def test_a_wheel_is_installed_from_its_file(tmp_path: Path):
    """The command works for a folder with a space in its name too."""
    wheel = tmp_path / "my wheels" / "azureml_scoring-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    made = extras.command_of("load", tmp_path, installed(tmp_path, wheel.as_uri()))
    assert shlex.split(made) == [*START, f"{wheel}[load]"]


@pytest.mark.parametrize(
    "origin", [None, "file:///gone.whl", "https://feed.example/azureml_scoring.whl"]
)
def test_otherwise_the_packages_of_the_extra_are_named(origin: str | None, tmp_path: Path):
    """pip does not record a private feed's address, and these packages are public."""
    made = extras.command_of("load", tmp_path, installed(tmp_path, origin))
    assert shlex.split(made) == [*START, "locust>=2.40", "anyio"]


def test_pip_takes_the_command():
    """pip knows the extra."""
    words = [
        *shlex.split(extras.command("load")),
        "--dry-run",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert "does not provide the extra" not in done.stderr


def test_nothing_tells_anybody_to_install_our_name_from_an_index():
    """Whoever registered it there would run code on the reader's machine."""
    said = re.compile(
        rf"(pip|uv|pipx|poetry|conda)\b[^\n]*\b(install|add)\b[^\n`]*{extras.NAME}|{extras.NAME}\["
    )
    kinds = {".md", ".py", ".yml", ".yaml", ".toml", ".sh", ".in", ""}
    tops = [top for top in REPOSITORY.iterdir() if top.name not in {".git", ".venv", "build"}]
    files = [file for top in tops for file in (top.rglob("*") if top.is_dir() else [top])]
    files = [file for file in files if file.is_file() and file.suffix in kinds]
    assert len(files) > 300
    found = [
        str(file)
        for file in files
        if file != Path(__file__) and said.search(file.read_text(errors="replace"))
    ]
    assert found == []
