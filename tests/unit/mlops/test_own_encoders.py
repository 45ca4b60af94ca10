"""Boosters that take categories themselves are packaged, compiled, and answer as they do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boosted
import numpy as np
import orjson
import pandas as pd
import pytest

import support
from azureml_scoring.errors import ClientError
from azureml_scoring.models.golden_check import NO_LIMITS
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.package import package
from validation import validate

Make = Callable[..., Any]
COUNT = 400
CITIES = ["Paris", "Rome", "Zurich", "Oslo", "", "Beijing", *(f"town {k}" for k in range(40))]
NAMES = [*CITIES[:2], "Zürich", "Oslo", "", "北京", *CITIES[6:]]


def stays(*, gaps: bool = False, cities: list[str] = NAMES) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, a boolean, texts and codes as pandas' categories; and a target of three classes."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "price": rng.normal(80, 30, COUNT).round(1),
            "city": pd.Categorical(rng.choice(cities, COUNT), categories=cities[::-1]),
            "member": rng.choice([True, False], COUNT),
            "rooms": pd.Categorical(rng.choice([9, 3, 5], COUNT), categories=[9, 3, 5, 7]),
            "nights": rng.integers(1, 9, COUNT),
        }
    )
    effects = rng.normal(size=len(CITIES))
    amounts = (
        effects[-1 - frame["city"].cat.codes]
        + frame["rooms"].astype(int) / 9 * frame["member"]
        + frame["price"] / 90
    )
    if gaps:
        frame["city"] = frame["city"].mask(rng.random(COUNT) < 0.1)
        frame["price"] = frame["price"].mask(rng.random(COUNT) < 0.1)
    return frame, np.digitize(amounts, [0.5, 1.5])


def histogram(*, classifier: bool = False) -> Any:
    return boosted.histogram(classifier=classifier, categorical_features="from_dtype")


def lightgbm(*, classifier: bool = False) -> Any:
    return boosted.lightgbm(classifier=classifier, min_data_per_group=1, cat_smooth=1)


def xgboost(*, classifier: bool = False) -> Any:
    return boosted.xgboost(classifier=classifier, enable_categorical=True, max_cat_to_onehot=2)


makes = pytest.mark.parametrize(
    "make", [histogram, lightgbm, xgboost], ids=lambda make: make.__name__
)


def served(folder: Path) -> Model:
    return load(Settings(scoring_model_path=folder))


def answers(model: Model, rows: pd.DataFrame, method: str) -> list[Any]:
    """As a request gets them."""
    plain = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    body = orjson.dumps({"data": plain, "method": method})
    return model.predict(validate(body, model.contract, NO_LIMITS))


def check(model: Model, estimator: Any, rows: pd.DataFrame, direct: pd.DataFrame) -> None:
    for method in model.contract.methods:
        expected = getattr(estimator, method)(direct)
        given = answers(model, rows, method)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(given, expected)


@makes
@pytest.mark.parametrize("classifier", [False, True], ids=["regressor", "classifier"])
def test_known_and_missing_categories_are_answered_by_the_compiled_model(
    make: Make, classifier: bool, tmp_path: Path
):
    """At least two hundred rows, all methods, compared with the estimator."""
    frame, target = stays(gaps=True)
    estimator = make(classifier=classifier).fit(frame, target)
    said: list[str] = []
    model = served(support.packaged(estimator, frame, tmp_path, say=said.append))
    check(model, estimator, frame, frame)
    assert model.backend == "onnx", said


@makes
def test_a_category_that_the_fit_did_not_have_is_the_estimators(make: Make, tmp_path: Path):
    """It takes it for a missing one; XGBoost would take it for another one, so it is refused."""
    frame, target = stays(cities=CITIES)
    estimator = make().fit(frame, target)
    model = served(support.packaged(estimator, frame, tmp_path))
    strange = frame.head(50).assign(city=pd.Categorical(["Atlantis"] * 50))
    if make is xgboost:
        with pytest.raises(
            ClientError, match="Feature city must be one of the 46 values"
        ) as caught:
            answers(model, strange, "predict")
        assert (caught.value.location, "Atlantis" in caught.value.message) == ("/data/0/1", False)
    else:
        check(model, estimator, strange, strange)
        assert model.backend == "onnx"


@makes
@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_sample_without_categories_gives_the_same_contract(
    make: Make, suffix: str, tmp_path: Path
):
    """The model holds its categories, and their order."""
    from mlops import sample_file

    frame, target = stays(cities=CITIES)
    file = support.dump(make().fit(frame, target), tmp_path)
    package(file, frame, tmp_path / "typed")
    if suffix == "csv":
        whole = frame.astype({"city": object}).replace({"city": {"": "Paris"}})
        whole.to_csv(tmp_path / "s.csv", index=False)
    else:
        frame.to_json(tmp_path / "s.json", orient="records")
    package(file, sample_file.load(tmp_path / f"s.{suffix}"), tmp_path / suffix)
    assert served(tmp_path / "typed").contract == served(tmp_path / suffix).contract


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_a_native_file_knows_its_categories(library: str, tmp_path: Path):
    """Without pickle, compiled too."""
    frame, target = stays(gaps=True)
    estimator = {"lightgbm": lightgbm, "xgboost": xgboost}[library]().fit(frame, target)
    file = tmp_path / {"lightgbm": "model.txt", "xgboost": "model.ubj"}[library]
    getattr(estimator, "booster_", estimator).save_model(str(file))
    package(file, frame, tmp_path / "artifact")
    model = served(tmp_path / "artifact")
    check(model, estimator, frame, frame)
    assert model.backend == "onnx"


def test_columns_that_are_named_may_hold_texts(tmp_path: Path):
    """HistGradientBoosting's categorical_features: texts, codes and an unseen value of each."""
    frame, target = stays(gaps=True)
    frame = frame.astype({"city": object, "rooms": int})
    estimator = boosted.histogram(categorical_features=["city", "rooms"]).fit(frame, target)
    model = served(support.packaged(estimator, frame, tmp_path))
    check(model, estimator, frame, frame)
    strange = frame.assign(city="Atlantis", rooms=4)
    check(model, estimator, strange, strange)
    assert model.backend == "onnx"


def test_catboost_answers_itself_and_the_reason_is_shown(tmp_path: Path):
    """It computes with its categories; any text is one, and a missing one is refused."""
    frame, target = stays()
    frame = frame.astype({"city": str})
    estimator = boosted.catboost(cat_features=["city", "rooms"]).fit(frame, target)
    said: list[str] = []
    model = served(support.packaged(estimator, frame, tmp_path, say=said.append))
    check(model, estimator, frame, frame)
    strange = frame.assign(city="Atlantis")
    check(model, estimator, strange, strange)
    assert model.backend == "sklearn"
    assert any("CatBoostRegressor takes texts or categories itself" in line for line in said)
    with pytest.raises(ClientError, match="Feature city must not be null"):
        answers(model, frame.head(1).assign(city=None), "predict")


def test_the_reason_calls_a_boosters_file_by_its_library(tmp_path: Path):
    """Its user has never seen a class of ours."""
    frame, target = stays()
    frame = frame.astype({"city": str})
    boosted.catboost(cat_features=["city", "rooms"]).fit(frame, target).save_model(
        str(tmp_path / "m.cbm")
    )
    said: list[str] = []
    package(tmp_path / "m.cbm", frame, tmp_path / "artifact", say=said.append)
    (reason,) = [line for line in said if "no ONNX" in line]
    assert "this CatBoost file takes texts or categories itself" in reason


@pytest.mark.parametrize(
    "make", [boosted.histogram, boosted.lightgbm], ids=["histogram", "lightgbm"]
)
@pytest.mark.filterwarnings("ignore:.*categorical_feature")
def test_numbers_may_be_categories(make: Make, tmp_path: Path):
    """In a table of nothing else: fractions and others that the fit did not have are answered."""
    option = "categorical_features" if make is boosted.histogram else "categorical_feature"
    X = boosted.rows()
    X[:, 3] = np.random.default_rng(0).integers(0, 9, len(X))
    target = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0])[X[:, 3].astype(int)] + X[:, 0]
    estimator = make(**{option: [3]}).fit(X, target)
    said: list[str] = []
    model = served(support.packaged(estimator, pd.DataFrame(X), tmp_path, say=said.append))
    odd = X.copy()
    odd[:, 3] = np.random.default_rng(1).choice([-1, 0.5, 3, 3.25, 8, 9, 1e9], len(X))
    for rows in map(pd.DataFrame, (X, odd)):
        np.testing.assert_allclose(
            answers(model, rows, "predict"), estimator.predict(rows.to_numpy())
        )
    assert model.backend == "onnx", said
