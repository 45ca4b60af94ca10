import warnings
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import support
from azureml_scoring.errors import ClientError, ModelRefusedInput
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.engines.onnx_model import MIN_COMPARED_ANSWERS
from azureml_scoring.models.engines.race import Race
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops import compiled_form
from mlops.package import package
from mlops.parity import TOLERANCE
from places import DATA
from validation import validate


def served(folder: Path) -> Model:
    return load(Settings(scoring_model_path=folder, scoring_require_manifest=True))


@pytest.mark.filterwarnings(
    "ignore:divide by zero:RuntimeWarning"
)  # the forest's, of log-probabilities
@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(5),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}),
        HistGradientBoostingRegressor(max_iter=5),
        IsolationForest(n_estimators=5),
        KMeans(2),
        KNeighborsRegressor(),
        PCA(2),
        SVC(),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("named", [True, False])
def test_any_estimator_is_packaged_and_served_with_the_same_answers(
    estimator: BaseEstimator, named: bool, tmp_path: Path
):
    """Fitted on a DataFrame or on an array, with each method that it has."""
    X, y = support.diabetes()
    estimator = clone(estimator).fit(X if named else X.to_numpy(), y)
    model = served(support.packaged(estimator, X, tmp_path))
    rows = X.iloc[:5]
    for method in model.contract.methods:
        asked = batch_of(rows.to_numpy().tolist(), model.contract)
        given = model.predict(type(asked)(asked.X, method))
        expected = getattr(estimator, method)(rows if named else rows.to_numpy())
        np.testing.assert_allclose(given, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(
    "make", [support.mixed, support.categories, support.texts, support.plain_regression]
)
def test_what_a_json_request_gives_is_what_the_estimator_gives(make: object, tmp_path: Path):
    """Mixed columns with gaps, categories, texts and plain arrays."""
    estimator, frame = make()
    model = served(support.packaged(estimator, frame, tmp_path))
    rows = orjson.loads(frame.head(8).to_json(orient="values"))
    given = model.predict(validate(orjson.dumps({"data": rows}), model.contract, Limits()))
    direct = (
        frame["text"]
        if "text" in frame
        else frame
        if hasattr(estimator, "feature_names_in_")
        else frame.to_numpy()
    )
    assert given == pytest.approx(
        list(estimator.predict(direct.iloc[:8] if hasattr(direct, "iloc") else direct[:8]))
    )


def test_several_targets_are_answered_row_by_row(tmp_path: Path):
    """predict_proba of a multi-output model is a list of arrays."""
    X, y = support.diabetes()
    estimator = MultiOutputClassifier(DecisionTreeClassifier(max_depth=2)).fit(X, np.c_[y, 1 - y])
    model = served(support.packaged(estimator, X, tmp_path))
    asked = batch_of([support.ROW], model.contract)
    ((first, second),) = model.predict(type(asked)(asked.X, "predict_proba"))
    assert first == pytest.approx(second[::-1])


def test_a_model_that_answers_differently_each_time_has_no_golden_answers(tmp_path: Path):
    """It is packaged all the same, with a note."""
    from scripted import Dice

    said: list[str] = []
    file = support.dump(Dice(), tmp_path)
    made = package(file, pd.DataFrame([[0.0]] * 3), tmp_path / "out", say=said.append)
    assert made.golden_answers == {}
    assert any("no golden answers" in line for line in said)
    assert any("not be cached" in line for line in said)
    assert not served(tmp_path / "out").cacheable
    assert served(tmp_path / "out").golden_rows > 0


def test_a_model_that_is_declared_not_cacheable_is_not(tmp_path: Path):
    """The option or the model itself declares it; all others are cacheable."""
    estimator, frame = support.plain_regression()
    file = support.dump(estimator, tmp_path)
    package(file, frame, tmp_path / "yes")
    package(file, frame, tmp_path / "no", cacheable=False)
    estimator.cacheable = False
    package(support.dump(estimator, tmp_path / "own"), frame, tmp_path / "itself")
    assert [served(tmp_path / name).cacheable for name in ("yes", "no", "itself")] == [
        True,
        False,
        False,
    ]


def test_an_mlflow_folder_is_packaged(tmp_path: Path):
    """It gets golden rows and checksums like any other."""
    X, _ = support.diabetes()
    package(DATA / "mlflow-skops", X, tmp_path / "out", name="m")
    assert served(tmp_path / "out").name == "m"


@pytest.mark.parametrize(
    "encoder", [OrdinalEncoder(), OneHotEncoder(sparse_output=False)], ids=["codes", "one-hot"]
)
def test_an_unknown_code_is_refused_though_the_model_is_on_numbers(
    encoder: BaseEstimator, tmp_path: Path
):
    """A compiled model may neither invent a number for it nor fail."""
    frame = pd.DataFrame({"branch": [3, 5, 9] * 80, "rooms": [1, 2, 3, 4] * 60})
    estimator = make_pipeline(encoder, LinearRegression()).fit(frame, frame["branch"])
    model = served(support.packaged(estimator, frame, tmp_path))
    known = pd.DataFrame({"branch": [5], "rooms": [2]})
    assert model.predict(batch_of([[5, 2]], model.contract)) == pytest.approx(
        estimator.predict(known)
    )
    for row in ([4, 2], [3.7, 2], [-3, 2], [0, 2], [2**31, 2], [5, 9]):
        with pytest.raises(ClientError, match="values of the fit"):
            model.predict(batch_of([row], model.contract))


def test_a_category_beyond_the_fits_is_the_clients_mistake_however_the_model_fails(tmp_path: Path):
    """Naive Bayes looks it up, and gets an IndexError."""
    frame = pd.DataFrame({"branch": [0, 1, 2] * 80, "rooms": [1, 2, 3, 4] * 60})
    model = served(support.packaged(CategoricalNB().fit(frame, frame["branch"]), frame, tmp_path))
    assert model.predict(batch_of([[1, 2]], model.contract)) == [1]
    for row in ([7, 2], [1, 99]):
        with pytest.raises(ModelRefusedInput):
            model.predict(batch_of([row], model.contract))


@pytest.mark.slow
def test_trees_fitted_on_data_with_gaps_are_compiled(tmp_path: Path, own_process: None):
    """They split at infinity; a gap goes where the tree sends it."""
    frame = pd.DataFrame({"a": [1.0, np.nan, 2.0, np.nan] * 60, "b": range(240)})
    estimator = DecisionTreeClassifier(random_state=0).fit(frame, frame["a"].isna())
    model = served(support.packaged(estimator, frame, tmp_path))
    assert model.backend == "onnx"
    assert model.predict(batch_of([[None, 1], [2.0, 1]], model.contract)) == [True, False]


@pytest.mark.slow
def test_how_many_answers_were_compared_is_told_and_kept(tmp_path: Path, own_process: None):
    """The conversion runs in its own process, as for users."""
    estimator, frame = support.plain_regression()
    told: list[str] = []
    folder = support.packaged(estimator, frame, tmp_path, say=told.append)
    onnx = Manifest.read(folder).onnx
    assert onnx
    assert onnx.parity["rows"] >= MIN_COMPARED_ANSWERS
    assert any(
        f"{onnx.parity['rows']:,} of {onnx.parity['asked']:,} compared" in line for line in told
    )


def test_the_manifest_has_the_times_of_all_engines_that_are_proven(demo_model: Path):
    """And who answers: for a linear model that is numpy, many times quicker than scikit-learn."""
    onnx = Manifest.read(demo_model).onnx
    assert onnx
    assert onnx.race
    assert list(onnx.race.microseconds) == ["numpy", "onnxruntime", "estimator"]
    assert onnx.race.microseconds["estimator"][0] > onnx.race.microseconds["numpy"][0]
    assert onnx.race.small == "numpy"


def test_a_model_that_is_quicker_than_its_graph_is_not_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Packaging says so."""
    slow = Race((1,), {}, "estimator", "estimator")
    monkeypatch.setattr(compiled_form, "race", lambda *_: slow)
    estimator, frame = support.plain_regression()
    said: list[str] = []
    folder = support.packaged(estimator, frame, tmp_path, say=said.append)
    assert Manifest.read(folder).onnx is None
    assert any("no ONNX, the model itself will answer: it is quicker" in line for line in said)


def test_packaging_shows_no_warnings_of_the_model(tmp_path: Path):
    """A forest's are of log-probabilities of 0, on each sample; and its method is offered for all
    that."""
    X, y = support.diabetes()
    with warnings.catch_warnings(record=True, action="always") as shown:
        folder = support.packaged(RandomForestClassifier(5).fit(X, y), X, tmp_path)
    assert not shown
    assert "predict_log_proba" in Manifest.read(folder).contract.methods
