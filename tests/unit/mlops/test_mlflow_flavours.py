"""MLflow folders of each flavour are served and packaged without MLflow, and answer alike."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boosted
import graphs
import numpy as np
import pandas as pd
import pytest

import mlflow_folder
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.parameter import Parameter
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.files.mlflow_folder import MlflowModel
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.package import package
from validated import batch, refusal

NAMES = [f"c{place}" for place in range(boosted.WIDTH)]
ROWS = boosted.rows()
FRAME = pd.DataFrame(ROWS, columns=NAMES)
SIGNATURE = mlflow_folder.columns(NAMES)


def answers(model: Model, method: str | None = None) -> np.ndarray:
    asked = {"columns": NAMES} | ({"method": method} if method else {})
    parts = [asked | {"data": part.tolist()} for part in np.split(ROWS, 4)]
    return np.concatenate([model.predict(batch(part, model.contract)) for part in parts])


def both(
    folder: Path, tmp_path: Path, sample: pd.DataFrame = FRAME, trust: Sequence[str] = ()
) -> list[Model]:
    """The folder's model as it is, and packaged."""
    package(folder, sample, tmp_path / "artifact", trust=trust)
    return [
        load(Settings(scoring_model_path=place, scoring_skops_trusted_types=",".join(trust)))
        for place in (folder, tmp_path / "artifact")
    ]


@pytest.fixture(autouse=True)
def _path() -> Iterator[None]:
    before = [*sys.path], [*sys.path_hooks]
    yield
    sys.path[:], sys.path_hooks[:] = before


@pytest.mark.slow
@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
@pytest.mark.parametrize("version", [3, 2])
def test_a_classifier_of_scikit_learns_interface_answers_with_labels(
    library: str, version: int, tmp_path: Path
):
    """LightGBM's is a skops file or a pickle, the others are files of the library's own."""
    estimator = getattr(boosted, library)(classifier=True)
    labels = boosted.target("numbers" if library == "xgboost" else "texts")
    estimator.fit(FRAME, labels)
    options: dict[str, Any] = {"inputs": SIGNATURE, "version": version}
    if library == "xgboost" and version == 2:
        options["suffix"] = "xgb"
    folder = getattr(mlflow_folder, library)(tmp_path / "m", estimator, **options)
    trust = mlflow_folder.LIGHTGBM_TYPES if library == "lightgbm" else ()
    for model in both(folder, tmp_path, trust=trust):
        assert model.contract.names == tuple(NAMES)
        assert model.contract.methods[0] == "predict"
        np.testing.assert_array_equal(answers(model), np.ravel(estimator.predict(FRAME)))
        np.testing.assert_allclose(
            answers(model, "predict_proba"), estimator.predict_proba(FRAME), atol=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_a_boosters_default_is_what_mlflow_answers(library: str, tmp_path: Path):
    """Its probabilities; labels are for those who ask."""
    estimator = getattr(boosted, library)(classifier=True)
    estimator.fit(FRAME, boosted.target("bools").astype(int))
    booster = estimator.booster_ if library == "lightgbm" else estimator.get_booster()
    folder = getattr(mlflow_folder, library)(tmp_path / "m", booster, inputs=SIGNATURE)
    for model in both(folder, tmp_path):
        assert model.contract.methods[0] == "predict_proba"
        np.testing.assert_allclose(answers(model), estimator.predict_proba(FRAME), atol=1e-5)
        np.testing.assert_array_equal(answers(model, "predict"), estimator.predict(FRAME))


@pytest.mark.slow
@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_a_regressor_answers_with_numbers(library: str, tmp_path: Path):
    """By each flavour."""
    estimator = getattr(boosted, library)().fit(FRAME, boosted.target("amounts"))
    folder = getattr(mlflow_folder, library)(tmp_path / "m", estimator, inputs=SIGNATURE)
    trust = mlflow_folder.LIGHTGBM_TYPES if library == "lightgbm" else ()
    for model in both(folder, tmp_path, trust=trust):
        assert model.contract.methods == ("predict",)
        np.testing.assert_allclose(answers(model), estimator.predict(FRAME), rtol=1e-5)


def test_an_onnx_folder_has_the_names_of_its_signature(tmp_path: Path):
    """And the types of its graph."""
    signature = [*mlflow_folder.columns("ab"), *mlflow_folder.columns("c", required=False)]
    folder = mlflow_folder.onnx(
        tmp_path / "m", graphs.linear().SerializeToString(), inputs=signature
    )
    sample = pd.DataFrame({"a": [1.0, 2.0] * 20, "b": 0.0, "c": 0.0})
    for model in both(folder, tmp_path, sample):
        assert model.contract.names == ("a", "b", "c")
        assert model.contract.features[2].dtype == "float32"
        body = {"columns": ["b", "a", "c"], "data": [[0, 1, 0], [1, 0, 0]]}
        assert model.predict(batch(body, model.contract)) == [1, 2]


@pytest.mark.parametrize("inputs", [[mlflow_folder.tensor(3, "float32")], None])
def test_an_onnx_folder_may_have_a_tensor_or_no_signature(inputs: Any, tmp_path: Path):
    """Its graph says how many columns there are."""
    folder = mlflow_folder.onnx(tmp_path / "m", graphs.linear().SerializeToString(), inputs=inputs)
    model = load(Settings(scoring_model_path=folder))
    assert model.contract.features == (Feature(None, "float32"),) * 3


def test_a_python_function_of_its_own_loader_needs_no_mlflow(tmp_path: Path):
    """Its code and data are packaged, hashed, and compared before anything is imported."""
    signature = mlflow_folder.columns("ab")
    folder = mlflow_folder.adder(tmp_path / "m", "plain_adder", inputs=signature)
    sample = pd.DataFrame({"a": [1.0, 2.0, 4.0] * 10, "b": [0.5] * 30})
    (folder / "input_example.json").write_text('{"columns": ["a", "b"], "data": [[7.5, 8.5]]}')
    for model in both(folder, tmp_path, sample):
        body = {"columns": ["b", "a"], "data": [[1, 2], [3, 4]]}
        assert model.predict(batch(body, model.contract)) == [13, 17]
        assert "takes no parameters" in refusal(body | {"params": {"n": 1}}, model.contract).message
    manifest = Manifest.read(tmp_path / "artifact")
    assert set(manifest.files) == {"MLmodel", "code/plain_adder.py", "data/amount.txt"}
    assert manifest.model_file == "MLmodel"


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


def test_parameters_of_a_python_function_come_from_the_request(tmp_path: Path):
    """With their types and defaults, packaged or not."""
    folder = mlflow_folder.adder(
        tmp_path / "m",
        "times_adder",
        inputs=mlflow_folder.columns("ab"),
        params=[mlflow_folder.parameter("times", "long", 2)],
    )
    sample = pd.DataFrame({"a": [1.0, 2.0, 4.0] * 10, "b": [0.5] * 30})
    for model in both(folder, tmp_path, sample):
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


@pytest.mark.parametrize("kind", ["array", "object", "map", "binary"])
def test_a_column_that_no_value_of_a_request_can_be_is_named(kind: str, tmp_path: Path):
    """At start, not at the first request."""
    inputs = mlflow_folder.columns(["tags"], kind)
    folder = mlflow_folder.write(
        tmp_path / "m", {"sklearn": {"pickled_model": "model.pkl"}}, inputs
    )
    with pytest.raises(StartupError, match=f"column tags in the signature .* is of type {kind}"):
        MlflowModel.read(folder)


def test_tensors_of_a_column_each_are_columns(tmp_path: Path):
    """As of a graph with several inputs."""
    inputs = [mlflow_folder.tensor(1, "float32", name="a"), mlflow_folder.tensor(1, name="b")]
    folder = mlflow_folder.write(
        tmp_path / "m", {"sklearn": {"pickled_model": "model.pkl"}}, inputs
    )
    assert MlflowModel.read(folder).features == (Feature("a", "float32"), Feature("b"))


def test_other_formats_of_catboost_are_refused(tmp_path: Path):
    """They are not read here."""
    flavour = {"data": "model.cb", "model_type": "CatBoostRegressor", "save_format": "json"}
    folder = mlflow_folder.write(tmp_path / "m", {"catboost": flavour})
    with pytest.raises(StartupError, match=r"CatBoost's format json.*without format="):
        MlflowModel.read(folder)


def test_params_of_xgboost_are_refused(tmp_path: Path):
    """MLflow calls XGBoost's own predict with them, so that defaults change the answers."""
    folder = mlflow_folder.write(
        tmp_path / "m",
        {"xgboost": {"data": "model.ubj"}},
        SIGNATURE,
        [mlflow_folder.parameter("output_margin", "boolean", True)],
    )
    with pytest.raises(StartupError, match="has params in its signature"):
        MlflowModel.read(folder)


def test_an_optional_column_of_a_pipeline_may_be_left_out(tmp_path: Path):
    """Where the model takes missing values, packaged or not."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    import support

    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0, 8.0] * 9, "b": [1.0, 3.0, np.nan, 2.0] * 9})
    fitted = make_pipeline(SimpleImputer(), LinearRegression()).fit(frame, frame["a"])
    support.dump(fitted, tmp_path / "m")
    signature = [*mlflow_folder.columns("a"), *mlflow_folder.columns("b", required=False)]
    for model in both(mlflow_folder.mlflow(tmp_path / "m", signature), tmp_path, frame):
        assert model.contract.optional == ("b",)
        body = {"columns": ["a"], "data": [[4.0]]}
        (expected,) = fitted.predict(pd.DataFrame({"a": [4.0], "b": [np.nan]}))
        assert model.predict(batch(body, model.contract)) == [pytest.approx(expected)]
