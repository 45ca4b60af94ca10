"""MLflow's flavour python_function: its author's code, served in process, and packaged."""

import importlib.util
import py_compile
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mlflow_folder
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.parameter import Parameter
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops.package import package
from validated import batch, refusal

pytestmark = pytest.mark.usefixtures("import_path")


def test_a_python_function_of_its_own_loader_needs_no_mlflow(tmp_path: Path):
    """Its code and data are packaged, hashed, and compared before anything is imported."""
    signature = mlflow_folder.columns("ab")
    folder = mlflow_folder.adder(tmp_path / "m", "plain_adder", inputs=signature)
    sample = pd.DataFrame({"a": [1.0, 2.0, 4.0] * 10, "b": [0.5] * 30})
    (folder / "input_example.json").write_text('{"columns": ["a", "b"], "data": [[7.5, 8.5]]}')
    for model in mlflow_folder.as_it_is_and_packaged(folder, tmp_path, sample):
        body = {"columns": ["b", "a"], "data": [[1, 2], [3, 4]]}
        assert model.predict(batch(body, model.contract)) == [13, 17]
        assert "takes no parameters" in refusal(body | {"params": {"n": 1}}, model.contract).message
    manifest = Manifest.read(tmp_path / "artifact")
    assert set(manifest.files) == {"MLmodel", "code/plain_adder.py", "data/amount.txt"}
    assert manifest.model_file == "MLmodel"


def test_the_reason_for_no_onnx_is_that_it_is_code(tmp_path: Path):
    """In the words of its user, who has never seen a class of ours."""
    signature = mlflow_folder.columns("ab")
    folder = mlflow_folder.adder(tmp_path / "m", "coded_adder", inputs=signature)
    sample = pd.DataFrame({"a": [1.0, 2.0] * 9, "b": 0.5})
    said: list[str] = []
    package(folder, sample, tmp_path / "out", say=said.append)
    (reason,) = [line for line in said if "no ONNX" in line]
    assert "this python_function is its author's code" in reason


def test_a_python_function_without_a_signature_is_called_by_that_name(tmp_path: Path):
    """Where it is served as it is, and nothing says what it takes."""
    folder = mlflow_folder.adder(tmp_path / "m", "unsigned_adder", inputs=None)
    with pytest.raises(StartupError, match=r"The model \(python_function\) does not say how many"):
        load(Settings(scoring_model_path=folder))


def test_an_interrupt_is_no_fault_of_the_loader(tmp_path: Path):
    """Ctrl-C ends a command that loads a model."""
    signature = mlflow_folder.columns("ab")
    folder = mlflow_folder.adder(tmp_path / "m", "interrupted_adder", inputs=signature)
    (folder / "code" / "interrupted_adder.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(Settings(scoring_model_path=folder))


@pytest.mark.parametrize("changed", ["data/amount.txt", "MLmodel", "code/changed_adder.py"])
def test_a_changed_python_function_is_not_loaded(changed: str, tmp_path: Path):
    """Whichever of its files it is."""
    folder = mlflow_folder.adder(
        tmp_path / "m", "changed_adder", inputs=mlflow_folder.columns("ab")
    )
    package(folder, pd.DataFrame({"a": [1.0, 2.0] * 9, "b": 0.5}), tmp_path / "out")
    with (tmp_path / "out" / changed).open("a") as file:
        file.write("\n")
    with pytest.raises(StartupError, match="is not the file that was packaged"):
        load(Settings(scoring_model_path=tmp_path / "out"))


def test_a_file_beside_a_packaged_python_function_is_refused(tmp_path: Path):
    """Its loader may read whatever lies there."""
    folder = mlflow_folder.adder(tmp_path / "m", "more_adder", inputs=mlflow_folder.columns("ab"))
    package(folder, pd.DataFrame({"a": [1.0, 2.0] * 9, "b": 0.5}), tmp_path / "out")
    (tmp_path / "out" / "data" / "other.txt").write_text("5")
    with pytest.raises(StartupError, match=r"data/other\.txt is not in the manifest"):
        load(Settings(scoring_model_path=tmp_path / "out"))


def test_bytecode_in_a_packaged_python_function_is_not_run(tmp_path: Path):
    """Nobody has hashed it, though its loader puts that folder on the path."""
    folder = mlflow_folder.adder(tmp_path / "m", "path_adder", inputs=mlflow_folder.columns("ab"))
    (folder / "data" / "beside_adder.py").write_text("AMOUNT = 1")
    loader = folder / "code" / "path_adder.py"
    loader.write_text(
        loader.read_text().replace(
            "    return Adder",
            "    import sys\n    sys.path.insert(0, str(Path(path).parent))\n"
            "    import beside_adder\n    return Adder",
        )
    )
    package(folder, pd.DataFrame({"a": [1.0, 2.0] * 9, "b": 0.5}), tmp_path / "out")
    module, said = tmp_path / "out" / "data" / "beside_adder.py", tmp_path / "said"
    bad = tmp_path / "bad.py"
    bad.write_text(f"open({str(said)!r}, 'w').close()")
    cached = Path(importlib.util.cache_from_source(str(module)))
    cached.parent.mkdir(exist_ok=True)
    py_compile.compile(
        str(bad), str(cached), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    sys.modules.pop("beside_adder", None)
    sys.modules.pop("path_adder", None)
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(tmp_path))]
    load(Settings(scoring_model_path=tmp_path / "out"))
    assert sys.modules["beside_adder"].AMOUNT == 1
    assert not said.exists()


def test_parameters_of_a_python_function_come_from_the_request(tmp_path: Path):
    """With their types and defaults, packaged or not."""
    folder = mlflow_folder.adder(
        tmp_path / "m",
        "times_adder",
        inputs=mlflow_folder.columns("ab"),
        params=[mlflow_folder.parameter("times", "long", 2)],
    )
    sample = pd.DataFrame({"a": [1.0, 2.0, 4.0] * 10, "b": [0.5] * 30})
    for model in mlflow_folder.as_it_is_and_packaged(folder, tmp_path, sample):
        assert model.contract.parameters == (Parameter("times", "int64", 2),)
        body: dict[str, Any] = {"columns": ["a", "b"], "data": [[1, 2]]}
        assert model.predict(batch(body, model.contract)) == [23]
        assert model.predict(batch(body | {"params": {"times": 3}}, model.contract)) == [33]
        unknown = refusal(body | {"params": {"n": 3}}, model.contract)
        assert "has the parameters times" in unknown.message


def test_bytecode_of_another_python_is_not_loaded(tmp_path: Path):
    """cloudpickle writes that of a notebook's functions, and loading it may end the process."""
    import cloudpickle

    scope: dict[str, Any] = {"__name__": "__main__"}
    exec("def shifted(x):\n    return x + 1\n", scope)
    folder = mlflow_folder.write(
        tmp_path / "m",
        {
            "python_function": {
                "loader_module": "mlflow.pyfunc.model",
                "python_model": "python_model.pkl",
                "python_version": "3.7.1",
            }
        },
        mlflow_folder.columns("ab"),
    )
    (folder / "python_model.pkl").write_bytes(cloudpickle.dumps(scope["shifted"]))
    with pytest.raises(StartupError, match=r"functions that Python 3\.7 compiled, and Python 3\."):
        load(Settings(scoring_model_path=folder))


def test_a_time_among_the_parameters_is_a_datetime(tmp_path: Path):
    """As MLflow hands it on."""
    folder = mlflow_folder.adder(
        tmp_path / "m",
        "dated_adder",
        inputs=mlflow_folder.columns("ab"),
        params=[mlflow_folder.parameter("at", "datetime", "2026-11-30T00:00:00")],
    )
    (folder / "code" / "dated_adder.py").write_text(
        "class Dated:\n    def predict(self, model_input, params=None):\n"
        "        return [params['at'].day] * len(model_input)\n\n\n"
        "def _load_pyfunc(path):\n    return Dated()\n"
    )
    model = load(Settings(scoring_model_path=folder))
    body: dict[str, Any] = {"data": [[1, 2]]}
    assert model.predict(batch(body, model.contract)) == [30]
    sent = body | {"params": {"at": "2026-11-29"}}
    assert model.predict(batch(sent, model.contract)) == [29]


def test_a_python_function_that_needs_mlflow_says_so(tmp_path: Path):
    """With the version to install, and the way to do without."""
    folder = mlflow_folder.write(
        tmp_path / "m",
        {"python_function": {"loader_module": "mlflow.pyfunc.model", "code": None}},
        mlflow_folder.columns("ab"),
    )
    with pytest.raises(StartupError, match=r"pip install mlflow-skinny==3\.18\.0.*loader_module="):
        load(Settings(scoring_model_path=folder))


def test_a_module_that_is_missing_is_named(tmp_path: Path):
    """The loader's own, or one that it imports."""
    folder = mlflow_folder.adder(tmp_path / "m", "lost_adder", inputs=mlflow_folder.columns("ab"))
    (folder / "code" / "lost_adder.py").write_text("import nowhere_to_be_found")
    with pytest.raises(StartupError, match="needs the Python module nowhere_to_be_found, which"):
        load(Settings(scoring_model_path=folder))


def test_a_python_function_is_code_as_a_pickle_is(tmp_path: Path):
    """Whoever forbids pickles forbids it too."""
    folder = mlflow_folder.adder(tmp_path / "m", "code_adder", inputs=mlflow_folder.columns("ab"))
    with pytest.raises(StartupError, match="SCORING_ALLOW_PICKLE=false forbids"):
        load(Settings(scoring_model_path=folder, scoring_allow_pickle=False))
    assert "code_adder" not in sys.modules


@pytest.mark.parametrize(
    ("output", "answered"),
    [
        ("model_input[['a']].assign(b=2.0)", [{"a": 1.0, "b": 2.0}]),
        (
            "{'x': model_input['a'].to_numpy(), 'y': ['high'] * len(model_input)}",
            [{"x": 1.0, "y": "high"}],
        ),
        ("model_input['a'].tolist()", [1.0]),
        ("model_input.to_numpy()", [[1.0, 2.0]]),
    ],
)
def test_an_answer_of_several_columns_is_an_object_a_row(
    output: str, answered: list[Any], tmp_path: Path
):
    """As MLflow's own server writes a DataFrame."""
    loader = f"shaped_adder_{abs(hash(output))}"
    folder = mlflow_folder.adder(tmp_path / "m", loader, inputs=mlflow_folder.columns("ab"))
    (folder / "code" / f"{loader}.py").write_text(
        f"class Shaped:\n    def predict(self, model_input):\n        return {output}\n\n\n"
        f"def _load_pyfunc(path):\n    return Shaped()\n"
    )
    model = load(Settings(scoring_model_path=folder))
    assert model.predict(batch({"data": [[1, 2]]}, model.contract)) == answered


def test_models_of_equal_descriptions_do_not_share_cached_answers(tmp_path: Path):
    """The digest covers data and code, not the MLmodel alone."""
    digests = {
        load(
            Settings(
                scoring_model_path=mlflow_folder.adder(
                    tmp_path / str(amount), "digest_adder", amount,
                    inputs=mlflow_folder.columns("ab"),
                )
            )
        ).digest
        for amount in (1.0, 2.0)
    }  # fmt: skip
    assert len(digests) == 2
