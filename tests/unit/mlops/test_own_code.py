"""Models whose classes are the user's own are packaged with their code, and load with it alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops.exit_status import ExitStatus
from places import SRC
from template import run

pytestmark = pytest.mark.slow

STEPS = """
from pathlib import Path
from features.inner.factor import FACTOR

class Times:
    n_features_in_ = 2

    def predict(self, X):
        import features.words
        return X[:, 0] * FACTOR * len(features.words.TEXT)
"""
WORDS = "from pathlib import Path\nTEXT = (Path(__file__).parent / 'words.txt').read_text()\n"
TRAIN = "import joblib; {}; joblib.dump({}(), 'model.joblib')"
MINE = "class Mine:\n n_features_in_ = 2\n def predict(self, X): return X[:, 0]\n"

LOAD = """
import sys
from pathlib import Path
from azureml_scoring.errors import StartupError
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
import numpy as np
from azureml_scoring.inputs.batch import Batch
try:
    model = load(Settings(azureml_model_dir=Path(sys.argv[1])))
    print(model.predict(Batch(np.array([[2.0, 1.0]]), "predict")))
except StartupError as error:
    print(error)
"""


PACKAGE = """
import contextlib
from mlops import converter
from mlops.parity import NotProven

def refuse(*_):
    raise NotProven("it is not tried here")

converter.converter = lambda: contextlib.nullcontext(refuse)

from mlops.cli import main
main()
"""
"""`mlops` without the process that converts, which loads for seconds: no converter knows a class of
the user's own."""


def python(
    *words: str | Path, cwd: Path, path: str | Path = ""
) -> subprocess.CompletedProcess[str]:
    return run(*words, cwd=cwd, env=os.environ | {"PYTHONPATH": str(path)})


def package(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "rows.csv").write_text("a,b\n" + "1,2\n3,4\n5,7\n" * 5)
    words = ["package", "model.joblib", "--sample", "rows.csv", "--out", "artifact", *options]
    return python("-c", PACKAGE, *words, cwd=folder)


def answer(artifact: Path) -> str:
    """Return what a new process prints, which has nothing but the service's code on its path."""
    done = python("-P", "-c", LOAD, artifact, cwd=artifact, path=SRC)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of a model whose class is in a package with parts, named by --code."""
    folder = tmp_path_factory.mktemp("project")
    inner = folder / "lib" / "features" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").touch()
    (inner / "__init__.py").touch()
    (inner / "factor.py").write_text("FACTOR = 10")
    (inner.parent / "words.py").write_text(WORDS)
    (inner.parent / "words.txt").write_text("four")
    (inner.parent / "steps.py").write_text(STEPS)
    train = TRAIN.format("from features.steps import Times", "Times")
    done = python("-c", train, cwd=folder, path=folder / "lib")
    assert done.returncode == 0, done.stderr
    done = package(folder, "--code", "lib")
    assert done.returncode == 0, done.stderr
    assert "Taking 6 files of code from lib" in done.stderr
    return folder / "artifact"


@pytest.fixture
def artifact(packaged: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(packaged, tmp_path / "artifact")


def test_code_in_a_folder_with_subpackages_loads_and_answers(artifact: Path):
    """Modules, parts of packages and a package's data go along, and no cache is written there."""
    assert answer(artifact) == "[80.0]"
    assert not [*artifact.rglob("__pycache__")]


def test_a_changed_file_is_refused(artifact: Path):
    """Before any of the code runs, also a file that only a prediction would import."""
    (artifact / "code" / "features" / "__init__.py").write_text("raise SystemExit")
    assert answer(artifact).startswith(
        "code/features/__init__.py is not the file that was packaged: its sha256 differs"
    )


def test_a_missing_file_is_refused(artifact: Path):
    """One that only a prediction would read, too."""
    (artifact / "code" / "features" / "words.txt").unlink()
    assert answer(artifact).startswith(
        "code/features/words.txt, which the manifest names, can't be read"
    )


def test_an_extra_file_is_refused(artifact: Path):
    """Whatever it is: the manifest knows nothing of it."""
    (artifact / "code" / "features" / "extra.txt").touch()
    assert answer(artifact).startswith("code/features/extra.txt is not in the manifest")


def test_compiled_code_that_somebody_put_there_is_not_used(artifact: Path):
    """Python would prefer it to a source of the same time and size."""
    source = artifact / "code" / "features" / "inner" / "factor.py"
    right = source.read_text()
    stat = source.stat()
    source.write_text("FACTOR = 99")
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert python("-m", "compileall", source, cwd=artifact).returncode == 0
    source.write_text(right)
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert [*source.parent.glob("__pycache__/factor*.pyc")]
    assert answer(artifact) == "[80.0]"


@pytest.mark.parametrize(
    ("needed", "sentence"),
    [
        ({"no-such-package": "1.2"}, "no-such-package 1.2, which is not installed; run `"),
        ({"orjson": "0.1"}, "orjson 0.1, not "),
    ],
)
def test_a_package_is_named_before_anything_is_unpickled(
    artifact: Path, needed: dict[str, str], sentence: str
):
    """One that is missing, and one of another version, with the command that installs it."""
    manifest = json.loads((artifact / "manifest.json").read_text())
    (artifact / "manifest.json").write_text(json.dumps(manifest | {"requirements": needed}))
    (artifact / "model.joblib").write_bytes(b"not read")
    ((package, version),) = needed.items()
    said = answer(artifact)
    assert said.startswith(f"The model needs {sentence}")
    assert f"{sys.executable} -m pip install {package}=={version}`" in said


def test_a_module_beside_the_model_goes_along_by_itself(tmp_path: Path):
    """Nothing has to be named; the packaging says what it copies."""
    (tmp_path / "own_steps.py").write_text(MINE)
    train = TRAIN.format("import own_steps", "own_steps.Mine")
    assert python("-c", train, cwd=tmp_path).returncode == 0
    done = package(tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"  copying {tmp_path}/own_steps.py, which the model needs\n" in done.stderr
    assert [path.name for path in (tmp_path / "artifact" / "code").iterdir()] == ["own_steps.py"]
    assert answer(tmp_path / "artifact") == "[2.0]"


def test_an_artifact_that_needs_more_than_it_holds_is_not_written(tmp_path: Path):
    """Data beside a module stays where it is; the sentence says how to take it along."""
    (tmp_path / "own_steps").mkdir()
    (tmp_path / "own_steps" / "__init__.py").write_text(
        "import pathlib\nTEXT = (pathlib.Path(__file__).parent / 'words.txt').read_text()\n" + MINE
    )
    (tmp_path / "own_steps" / "words.txt").write_text("four")
    train = TRAIN.format("import own_steps", "own_steps.Mine")
    assert python("-c", train, cwd=tmp_path).returncode == 0
    done = package(tmp_path)
    assert done.returncode == ExitStatus.UNUSABLE
    assert f"words.txt is left out; if the model reads it, add --code {tmp_path}" in done.stderr
    assert "The artifact alone is not enough to load the model; add --code" in done.stderr
    assert not (tmp_path / "artifact").exists()
    assert package(tmp_path, "--code", "own_steps").returncode == 0


def test_a_class_of_a_notebook_is_named_with_the_way_out(tmp_path: Path):
    """Packaging and serving say the same: it has to move into a module."""
    assert python("-c", MINE + TRAIN.format("pass", "Mine"), cwd=tmp_path).returncode == 0
    sentence = (
        "model.joblib needs Mine, which the notebook or script that saved the model defined "
        "itself, and which no other program can import; move Mine into a module, such as steps.py"
    )
    assert f"Error: {sentence}" in package(tmp_path).stderr
    assert answer(tmp_path).startswith(sentence)


def test_packaging_in_the_notebook_that_has_the_class_is_refused_too(tmp_path: Path):
    """There the model loads, but nowhere else."""
    call = (
        "import pandas as pd\nfrom pathlib import Path\nfrom mlops.package import package\n"
        "rows = pd.DataFrame({'a': [1.0, 2.0], 'b': [3.0, 5.0]})\n"
        "package(Path('model.joblib'), rows, Path('artifact'))"
    )
    done = python("-c", f"{MINE}{TRAIN.format('pass', 'Mine')}\n{call}", cwd=tmp_path)
    assert "model.joblib needs Mine, which the notebook or script" in done.stderr
    assert not (tmp_path / "artifact").exists()


def test_mlflows_code_folder_is_imported(tmp_path: Path):
    """``code_paths`` of mlflow.sklearn.save_model go on the path, as MLflow does itself."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own_steps.py").write_text(MINE)
    train = TRAIN.format("import own_steps", "own_steps.Mine")
    assert python("-c", train, cwd=tmp_path, path=tmp_path / "code").returncode == 0
    flavours = {"sklearn": {"pickled_model": "model.joblib"}, "python_function": {"code": "code"}}
    (tmp_path / "MLmodel").write_text(json.dumps({"flavors": flavours}))
    assert answer(tmp_path) == "[2.0]"
