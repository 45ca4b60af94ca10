"""`make lock`, with a resolver that needs no network: its input, and what becomes of its output."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.checkout import REPOSITORY

RESOLVER = f"""#!{sys.executable}
import sys
from pathlib import Path
words = sys.argv[1:]
with Path("calls.txt").open("a") as calls:
    calls.write(" ".join(words) + chr(10))
if "uv" in words:
    inputs = [Path(word) for word in words if word.endswith(".in")]
    lines = [line for path in inputs for line in path.read_text().split(chr(10))]
    wanted = [line for line in lines if line and line[0] != "#"]
    if any(line.startswith("unknown") for line in wanted):
        sys.exit("No solution found")
    hashed = "==1.0 " + chr(92) + chr(10) + "    --hash=sha256:00"
    lines = [name + hashed for name in ["scikit-learn", *sorted(wanted)]]
    Path(words[words.index("-o") + 1]).write_text(chr(10).join(lines) + chr(10))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment is newer than its requirements, so that only the lock is
    made."""
    for name in ("Makefile", "setup.cfg"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / "environment", tmp_path / "environment")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(RESOLVER)
    (tmp_path / "bin" / "python").chmod(0o755)
    (tmp_path / ".venv").mkdir()
    for name in (".serving", ".testing"):
        (tmp_path / ".venv" / name).touch()
    return tmp_path


def lock(checkout: Path, added: str = "") -> subprocess.CompletedProcess[str]:
    words = ["make", "lock", "BIN=bin", *([f"ADD={added}"] if added else [])]
    return subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=False)


def files(checkout: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((checkout / "environment").iterdir())}


def wanted(checkout: Path) -> list[str]:
    lines = (checkout / "environment" / "requirements-model.in").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_a_package_is_added_here_and_to_both_images(checkout: Path):
    """One command puts it into the lock, which the image installs, into conda.yml, and into this
    environment."""
    done = lock(checkout, "lightgbm xgboost>=3")
    assert done.returncode == 0, done.stderr
    assert wanted(checkout) == ["lightgbm", "xgboost>=3"]
    assert "lightgbm==1.0 \\" in (checkout / "environment" / "requirements.txt").read_text()
    *_, by_pip = yaml.safe_load((checkout / "environment" / "conda.yml").read_text())[
        "dependencies"
    ]
    assert by_pip == {"pip": ["scikit-learn==1.0", "lightgbm==1.0", "xgboost>=3==1.0"]}
    calls = (checkout / "calls.txt").read_text().splitlines()
    assert any(
        "-m pip" in call and "--require-hashes -r environment/requirements.txt" in call
        for call in calls
    )


def test_a_package_stays_until_its_line_is_removed(checkout: Path):
    """It stays when the lock is made anew, and when it is added twice."""
    lock(checkout, "lightgbm")
    lock(checkout, "lightgbm")
    assert wanted(checkout) == ["lightgbm"]
    lock(checkout)
    assert "lightgbm==1.0" in files(checkout)["conda.yml"]
    (checkout / "environment" / "requirements-model.in").write_text("# nothing\n")
    lock(checkout)
    assert "lightgbm" not in files(checkout)["requirements.txt"] + files(checkout)["conda.yml"]


def test_a_package_that_can_not_be_resolved_changes_nothing(checkout: Path):
    """A misspelt package is an error and is not requested again."""
    before = files(checkout)
    done = lock(checkout, "unknown")
    assert done.returncode != 0
    assert "No solution found" in done.stderr
    assert files(checkout) == before
