"""MLflow folders of each flavour are served and packaged without MLflow, and answer alike."""

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
from azureml_scoring.models.files.mlflow_folder import MlflowModel
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from validated import batch

NAMES = [f"c{place}" for place in range(boosted.WIDTH)]
ROWS = boosted.rows()
FRAME = pd.DataFrame(ROWS, columns=NAMES)
SIGNATURE = mlflow_folder.columns(NAMES)

pytestmark = pytest.mark.usefixtures("import_path")


def answers(model: Model, method: str | None = None) -> np.ndarray:
    asked = {"columns": NAMES} | ({"method": method} if method else {})
    parts = [asked | {"data": part.tolist()} for part in np.split(ROWS, 4)]
    return np.concatenate([model.predict(batch(part, model.contract)) for part in parts])


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
    for model in mlflow_folder.as_it_is_and_packaged(folder, tmp_path, FRAME, trust):
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
    for model in mlflow_folder.as_it_is_and_packaged(folder, tmp_path, FRAME):
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
    for model in mlflow_folder.as_it_is_and_packaged(folder, tmp_path, FRAME, trust):
        assert model.contract.methods == ("predict",)
        np.testing.assert_allclose(answers(model), estimator.predict(FRAME), rtol=1e-5)


def test_an_onnx_folder_has_the_names_of_its_signature(tmp_path: Path):
    """And the types of its graph."""
    signature = [*mlflow_folder.columns("ab"), *mlflow_folder.columns("c", required=False)]
    folder = mlflow_folder.onnx(
        tmp_path / "m", graphs.linear().SerializeToString(), inputs=signature
    )
    sample = pd.DataFrame({"a": [1.0, 2.0] * 20, "b": 0.0, "c": 0.0})
    for model in mlflow_folder.as_it_is_and_packaged(folder, tmp_path, sample):
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
    for model in mlflow_folder.as_it_is_and_packaged(
        mlflow_folder.mlflow(tmp_path / "m", signature), tmp_path, frame
    ):
        assert model.contract.optional == ("b",)
        body = {"columns": ["a"], "data": [[4.0]]}
        (expected,) = fitted.predict(pd.DataFrame({"a": [4.0], "b": [np.nan]}))
        assert model.predict(batch(body, model.contract)) == [pytest.approx(expected)]
