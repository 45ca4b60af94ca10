"""The wheel, built from a copy of the sources and installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import support
from blackbox.server import REPOSITORY, Server
from template import Started

pytestmark = pytest.mark.any_worker


def test_the_wheel_builds_installs_and_serves(
    tmp_path: Path, demo_model: Path, monkeypatch: pytest.MonkeyPatch
):
    """The wheel holds the commands and the folder to deploy, and puts nothing else on the path."""
    site, source = tmp_path / "site", tmp_path / "source"
    for name in ("src", "mlops"):
        shutil.copytree(REPOSITORY / name, source / name)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        tmp_path,
        source,
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        site,
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True)
    assert {path.name for path in site.iterdir() if "dist-info" not in path.name} == {
        "mlops",
        "bin",
    }
    env = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", "import mlops, validation; print(mlops.SERVING)"],
        env=env, cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()) == site / "mlops" / "serving"
    folder = site / "mlops" / "serving"
    server = Server(
        demo_model,
        tmp_path,
        {"SCORING_DASHBOARD": "true", "SCORING_DOCS_PAGE": "true"},
        folder,
        Started,
    )
    try:
        server.wait_until_up()
        assert server.score([support.ROW]).json()["predictions"] == [1]
        assert server.get("/dashboard").status_code == 200
        assert server.get("/docs").status_code == 200
    finally:
        server.stop()
