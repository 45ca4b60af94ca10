"""The supported versions of Python are the same everywhere."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
VERSIONS = ["3.11", "3.12", "3.13"]
SENTENCE = "Python 3.11, 3.12 or 3.13"


def test_every_version_that_is_taken_is_tested_in_both_pipelines():
    """The package's own bounds define the versions."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    assert setup["options"]["python_requires"] == ">=3.11,<3.14"
    github = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text())
    assert github["jobs"]["test"]["strategy"]["matrix"]["python"] == VERSIONS
    azure = yaml.safe_load((REPOSITORY / "azure-pipelines.yml").read_text())
    (test,) = [
        job for stage in azure["stages"] for job in stage["jobs"] if job.get("job") == "test"
    ]
    assert [each["python"] for each in test["strategy"]["matrix"].values()] == VERSIONS
    assert f"{SENTENCE} and `make`" in (REPOSITORY / "README.md").read_text()


def make(tmp_path: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Run ``make setup`` in a new folder with an interpreter that claims to be of ``version``."""
    for name in ("Makefile", "setup.cfg"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    (tmp_path / "environment").mkdir()
    for name in ("requirements.txt", "requirements-build.txt"):
        (tmp_path / "environment" / name).touch()
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || exit 1\nexec {sys.executable} -c "import sys; '
        f"sys.version_info = "
        f'({version.replace(".", ", ")}); $2"\n'
    )
    python.chmod(0o755)
    words = ["make", "--no-print-directory", "setup", f"PYTHON={python}"]
    return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_another_version_is_refused_with_what_to_do(tmp_path: Path, version: str):
    """The message also says why a newer one does not work."""
    done = make(tmp_path, version)
    assert done.returncode
    assert done.stdout == (
        f"{SENTENCE} is needed (for 3.14 there is no pysimdjson yet); install it, or name it: make "
        f"setup "
        "PYTHON=/path/to/python3.12\n"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_taken(tmp_path: Path, version: str):
    """Set-up goes on to install."""
    assert "Installing the locked requirements" in make(tmp_path, version).stdout


def test_nothing_locked_is_closed_to_a_version_that_is_taken():
    """No marker of the lock ends before the newest version, which would leave a package out
    there."""
    for lock in sorted((REPOSITORY / "environment").glob("requirements*.txt")):
        assert not re.findall(r"python_(?:full_)?version < '3\.1[23]'", lock.read_text()), lock.name
