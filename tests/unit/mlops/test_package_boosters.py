"""Boosted trees of each library are packaged, served and compiled; the reason is shown if not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boosted
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops.package import package
from mlops.package_commands import _class_names

Make = Callable[..., Any]
SAMPLE = pd.DataFrame(boosted.rows(gaps=True)[:200])
FILES = {"xgboost": "ubj", "lightgbm": "txt", "catboost": "cbm"}

makes = pytest.mark.parametrize(
    "make",
    [boosted.lightgbm, boosted.xgboost, boosted.catboost, boosted.histogram],
    ids=lambda make: make.__name__,
)


def check(artifact: Path, estimator: Any, labels: Any = None) -> Manifest:
    """Compare all methods on whole rows and rows with gaps; return the manifest."""
    model = load(Settings(scoring_model_path=artifact))
    X = np.concatenate([boosted.rows(gaps=True), boosted.rows()])
    for method in model.contract.methods:
        expected = getattr(estimator, method)(X)
        if method == "predict" and labels is not None:
            expected = np.array(labels)[np.ravel(expected)]
        answers = np.array(model.predict(Batch(X, method)))
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(answers, expected)
    assert model.backend == "onnx"
    return Manifest.read(artifact)


@pytest.mark.slow
@makes
def test_a_boosted_estimator_is_compiled(make: Make, tmp_path: Path):
    """Alone; rows with missing values too. All methods answer like the estimator's."""
    labels = boosted.target("numbers" if make is boosted.xgboost else "texts")
    estimator = make(classifier=True).fit(boosted.rows(gaps=True), labels)
    manifest = check(support.packaged(estimator, SAMPLE, tmp_path), estimator)
    assert manifest.onnx
    assert {"predict", "predict_proba"} <= {*manifest.onnx.outputs}
    assert manifest.onnx.missing


@pytest.mark.slow
@makes
def test_a_boosted_estimator_behind_a_scaler_is_compiled(make: Make, tmp_path: Path):
    """As the last step of a Pipeline."""
    estimator = make_pipeline(StandardScaler(), make())
    estimator.fit(boosted.rows(gaps=True), boosted.target("amounts"))
    check(support.packaged(estimator, SAMPLE, tmp_path), estimator)


@pytest.mark.slow
@pytest.mark.parametrize("library", FILES)
def test_a_native_file_is_compiled_and_its_classes_are_kept(library: str, tmp_path: Path):
    """The manifest names them, so the service answers with them, and the library to install."""
    estimator = getattr(boosted, library)(classifier=True)
    estimator.fit(boosted.rows(gaps=True), boosted.target("bools").astype(int))
    file = tmp_path / f"model.{FILES[library]}"
    getattr(estimator, "booster_", estimator).save_model(str(file))
    out = tmp_path / "artifact"
    package(file, SAMPLE, out, classes=["no", "yes"])
    manifest = check(out, estimator, ["no", "yes"])
    assert manifest.classes == ("no", "yes")
    (needed,) = manifest.requirements
    assert needed.startswith(library)


def test_classes_are_numbers_where_all_are():
    """``--classes 1,2`` for a model that was fitted on 1 and 2."""
    assert _class_names("no, yes") == ["no", "yes"]
    assert _class_names("1,2") == [1, 2]
    assert _class_names("") == []


def test_classes_of_another_model_are_refused(tmp_path: Path):
    """It knows its own."""
    file = support.dump(support.plain_regression()[0], tmp_path)
    with pytest.raises(StartupError, match=r"model\.joblib is none; leave --classes out"):
        package(file, SAMPLE, tmp_path / "out", classes=["no", "yes"])


@pytest.mark.slow
def test_the_reason_for_no_onnx_names_the_objective(tmp_path: Path):
    """It is printed while packaging, and the estimator answers."""
    estimator = boosted.xgboost(objective="survival:cox")
    estimator.fit(boosted.rows(), boosted.target("counts"))
    said: list[str] = []
    artifact = support.packaged(estimator, SAMPLE, tmp_path, say=said.append)
    assert Manifest.read(artifact).onnx is None
    assert any(
        "its objective is survival:cox, whose answers are not known" in line for line in said
    )


def test_a_library_that_fails_is_left_out_of_the_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The model is compiled without it, and a note says why."""

    def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr("mlops.graph_proof.booster_session", failing)
    saved = tmp_path / "m.joblib"
    joblib.dump(support.demo_estimator(), saved)
    lines: list[str] = []
    manifest = package(saved, support.diabetes()[0], tmp_path / "out", say=lines.append)
    assert manifest.onnx
    assert not manifest.onnx.booster
    assert any("no part in the race: RuntimeError" in line for line in lines)
