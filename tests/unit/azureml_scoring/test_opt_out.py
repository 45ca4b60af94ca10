import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import joblib
import pytest

from azureml_scoring import opt_out
from places import REPOSITORY
from support import ROW, diabetes

BIN = Path(sys.executable).parent
SERVE = """
import sys
sys.path.insert(0, sys.argv[1])
import score
score.init()
print(score.run(sys.argv[2]))
print("onnxruntime" in sys.modules)
"""


class Machine:
    """A home and a temporary folder with nothing in them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.temporary = folder / "home", folder / "temporary"
        self.home.mkdir()
        self.temporary.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
        }

    def run(self, *words: str | Path, **environment: str) -> str:
        done = subprocess.run(
            words,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr + done.stdout

    @property
    def files(self) -> list[str]:
        """All files that were left there, but for our own counters."""
        found = [path for folder in (self.home, self.temporary) for path in folder.rglob("*")]
        return [str(path) for path in found if not path.name.startswith("azureml-scoring-")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.slow
def test_packaging_and_serving_a_compiled_model_leave_nothing_behind(
    machine: Machine, tmp_path: Path
):
    """Nothing is written to the home or the temporary folder, though ONNX Runtime runs in three
    processes."""
    from sklearn.ensemble import RandomForestClassifier

    X, y = diabetes()
    joblib.dump(
        RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, y), tmp_path / "model.joblib"
    )
    X.to_csv(tmp_path / "sample.csv", index=False)
    artifact = tmp_path / "artifact"
    said = machine.run(
        *(
            BIN / "mlops",
            "package",
            tmp_path / "model.joblib",
            "--sample",
            tmp_path / "sample.csv",
            "--out",
            artifact,
        )
    )
    assert "gives the same answers" in said
    answer, imported = machine.run(
        *(sys.executable, "-c", SERVE, REPOSITORY / "src", f'{{"data": [{ROW}]}}'),
        AZUREML_MODEL_DIR=str(artifact),
        SCORING_BACKEND="onnx",
    ).splitlines()[-2:]
    assert "predictions" in answer
    assert imported == "True"
    assert machine.files == []


def test_this_look_would_find_what_onnx_runtime_writes(machine: Machine):
    """If the user turns reports on, there are files: the test above can fail."""
    machine.run(sys.executable, "-c", "import mlops, onnxruntime", ORT_DISABLE_TELEMETRY="0")
    assert machine.files


@pytest.mark.slow
@pytest.mark.parametrize("module", ["score", "mlops", "mlops.converter", "mlops.inference_server"])
def test_reports_are_off_in_each_process_of_ours(machine: Machine, module: str):
    """A process may start with any module."""
    code = (
        f"import sys, os; sys.path[:0] = ['src', '.']; import {module}; "
        "print([os.environ[n] for n in sys.argv[1:]])"
    )
    said = machine.run("env", "-C", REPOSITORY, sys.executable, "-c", code, *opt_out.VARIABLES)
    assert said.splitlines()[-1] == str([*opt_out.VARIABLES.values()])


def test_the_users_own_setting_wins():
    """A variable that is set stays, an empty one counts as unset."""
    environment = {"ORT_DISABLE_TELEMETRY": "0", "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": ""}
    opt_out.apply(environment)
    assert environment == {
        "ORT_DISABLE_TELEMETRY": "0",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def test_the_image_turns_them_off_too():
    """There azmlinfsrv starts the process, and makes its exporter before score.py is read."""
    dockerfile = (REPOSITORY / "environment" / "Dockerfile").read_text()
    assert [
        name for name, value in opt_out.VARIABLES.items() if f"{name}={value} " not in dockerfile
    ] == []


def test_onnx_runtime_is_imported_within_functions_only():
    """No import of ours comes before the variables."""
    files = (*(REPOSITORY / "src").rglob("*.py"), *(REPOSITORY / "mlops").rglob("*.py"))
    texts = {file: text for file in files if "onnxruntime" in (text := file.read_text())}
    early = [
        f"{file}:{node.lineno}"
        for file, text in texts.items()
        for node in ast.parse(text).body
        if isinstance(node, ast.Import | ast.ImportFrom) and "onnxruntime" in ast.unparse(node)
    ]
    assert early == []
    assert any("import onnxruntime" in text for text in texts.values())


def test_terraform_and_the_azure_cli_report_nothing_either():
    """Make and the pipelines turn their reports off."""
    assert "export CHECKPOINT_DISABLE ?= 1" in (REPOSITORY / "Makefile").read_text()
    for pipeline in (
        REPOSITORY / ".github/workflows/deploy.yml",
        REPOSITORY / "azure-pipelines.yml",
    ):
        assert re.search(
            r'AZURE_CORE_COLLECT_TELEMETRY(: |\n    value: )"false"', pipeline.read_text()
        )


@pytest.mark.parametrize("page", ["privacy.md", "settings.md"])
def test_the_docs_name_each_variable(page: str):
    """Users who want the reports know how to turn them on."""
    text = (REPOSITORY / "docs" / page).read_text()
    assert [name for name in opt_out.VARIABLES if f"`{name}" not in text] == []
