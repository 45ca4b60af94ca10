"""Modules of the user's own, under any name, with classes that a pickle needs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.load_failure import RESERVED
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.files.model_file import read
from azureml_scoring.settings import Settings
from places import SRC

NAMES = (
    "application", "config", "contract", "drift", "errors", "health", "inputs", "key", "log",
    "metrics", "model", "models", "request", "routes", "server", "service", "settings", "tier",
    "utils", "worker",
)  # fmt: skip
"""Names that our modules, or azmlinfsrv's, have too."""

OWN = """
from sklearn.linear_model import LinearRegression

class Double(LinearRegression):
    def predict(self, X):
        return super().predict(X) * 2
"""

TRAIN = """
import importlib, sys, joblib, numpy as np
X = np.arange(12.0).reshape(6, 2)
for name in sys.argv[2:]:
    model = importlib.import_module(name).Double().fit(X, X.sum(axis=1))
    joblib.dump(model, f"{sys.argv[1]}/{name}.joblib")
"""

SERVE = """
import importlib.util, json, os, sys
source, models, *names = sys.argv[1:]
outcomes = {}
for name in names:
    os.environ["AZUREML_MODEL_DIR"] = f"{models}/{name}.joblib"
    spec = importlib.util.spec_from_file_location("entry_module", f"{source}/score.py")
    script = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(script)
        script.init()
        outcomes[name] = script.run({"data": [[1.0, 2.0]]})["predictions"]
    except Exception as error:
        outcomes[name] = str(error)
print(json.dumps(outcomes))
"""
"""As azmlinfsrv runs the entry script, once for each model."""


def python(code: str, *words: str | Path, path: str | Path = "") -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, words)],
        env=env | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module and a model for each name."""
    folder = tmp_path_factory.mktemp("trained")
    for name in NAMES:
        (folder / f"{name}.py").write_text(OWN)
    python(TRAIN, folder, *NAMES, path=folder)
    return folder


def beside_score(folder: Path, trained: Path) -> tuple[Path, Path]:
    """-> the folder of score.py, and that of the models."""
    shutil.copytree(SRC, folder / "src")
    for name in NAMES:
        shutil.copy(trained / f"{name}.py", folder / "src")
    shutil.copytree(trained, folder / "models", ignore=shutil.ignore_patterns("*.py"))
    return folder / "src", folder / "models"


def beside_the_model(folder: Path, trained: Path) -> tuple[Path, Path]:
    return SRC, trained


@pytest.fixture(scope="module", params=[beside_score, beside_the_model])
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, trained: Path
) -> dict[str, Any]:
    """Name -> the predictions, or the error."""
    lay_out: Callable[[Path, Path], tuple[Path, Path]] = request.param
    source, models = lay_out(tmp_path_factory.mktemp("served"), trained)
    *_, last = python(SERVE, source, models, *NAMES).splitlines()
    outcomes: dict[str, Any] = json.loads(last)
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_module_of_ones_own_may_have_any_name(outcomes: dict[str, Any], name: str):
    """It works beside score.py, and beside a model that is not packaged."""
    assert outcomes[name] == [pytest.approx(6)]


def pickle_of(module: str, folder: Path) -> Artifact:
    """A model whose class is in ``module``."""
    file = folder / "model.pkl"
    file.write_bytes(f"c{module}\nDouble\n.".encode())
    return Artifact(file, "m", "1")


@pytest.mark.parametrize("name", [*RESERVED, "azureml_scoring.steps", "cache.steps"])
def test_a_module_with_a_name_of_the_services_is_to_be_renamed(tmp_path: Path, name: str):
    """There are five such names, and the sentence says which one it is and what to do."""
    with pytest.raises(StartupError) as failed:
        read(pickle_of(name, tmp_path), Settings())
    top = name.partition(".")[0]
    assert str(failed.value) == (
        f"model.pkl needs a module of yours called {top}, but the service has one of that name; "
        f"rename yours, train the model with it, and save it again."
    )


@pytest.fixture
def _same_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = {*sys.modules}
    yield
    for name in {*sys.modules} - known:
        del sys.modules[name]


@pytest.mark.usefixtures("_same_path")
def test_code_beside_a_packaged_model_is_not_imported(tmp_path: Path):
    """Its manifest does not cover that code, so the sentence sends it to where it is deployed."""
    (tmp_path / "my_steps.py").write_text(OWN)
    model = pickle_of("my_steps", tmp_path)
    digest = hashlib.sha256(model.file.read_bytes()).hexdigest()
    manifest = Manifest("m", "1", "model.pkl", {"model.pkl": digest}, {}, support.NUMBERS, [], {})
    packaged = Artifact(model.file, "m", "1", manifest)
    with pytest.raises(StartupError, match="put its source beside"):
        read(packaged, Settings())
    assert "my_steps" not in sys.modules
    read(model, Settings())
    assert "my_steps" in sys.modules


@pytest.mark.usefixtures("_same_path")
def test_a_module_beside_the_model_hides_no_other(tmp_path: Path):
    """It is looked for last: no library is replaced."""
    (tmp_path / "colorsys.py").write_text("raise SystemExit")
    with pytest.raises(StartupError, match="Double"):
        read(pickle_of("colorsys", tmp_path), Settings())


@pytest.mark.usefixtures("_same_path")
def test_a_skops_file_imports_nothing_beside_it(tmp_path: Path):
    """Whoever may not run code by a pickle may not by a module either."""
    (tmp_path / "my_steps.py").write_text(OWN)
    model = Artifact(pickle_of("my_steps", tmp_path).file.rename(tmp_path / "m.skops"), "m", "1")
    with pytest.raises(StartupError):
        read(model, Settings())
    assert str(tmp_path) not in sys.path
