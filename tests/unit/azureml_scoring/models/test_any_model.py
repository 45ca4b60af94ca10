"""Whatever a model does in packaging and loading, the user gets one sentence, never a traceback."""

from pathlib import Path
from typing import Any

import boosters
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import RadiusNeighborsClassifier, RadiusNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.fit_categories import with_categories
from mlops.sample_file import load as load_sample

pytestmark = pytest.mark.slow

FRAME = pd.DataFrame(
    {"size": [1.0, 2.0, 3.0, 4.0] * 5, "colour": pd.Categorical(["red", "blue"] * 10)}
)
NUMBERS = pd.DataFrame(np.arange(40.0).reshape(20, 2))


def served(folder: Path) -> Model:
    return load(Settings(scoring_model_path=folder))


@pytest.mark.parametrize(
    ("estimator", "sample"),
    [
        (boosters.LightgbmBooster(), FRAME),
        (boosters.XgboostEstimator(), FRAME),
        (boosters.CatboostEstimator(), FRAME.astype({"colour": str})),
        (boosters.StatsmodelsResults([1.0, 2.0]), NUMBERS),
        (boosters.Own(), NUMBERS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_models_without_scikit_learns_tags_are_packaged_and_served(
    estimator: Any, sample: pd.DataFrame, tmp_path: Path
):
    """The service gives the same answers as the models themselves."""
    loaded = served(support.packaged(estimator, sample, tmp_path))
    rows = sample.head(3).astype(object).to_numpy().tolist()
    assert (
        loaded.predict(golden_check.batch_of(rows, loaded.contract))
        == estimator.predict(sample.head(3)).tolist()
    )
    assert loaded.backend == "sklearn"


PLAIN = FRAME.astype({"colour": object})
ONLY_RED = PLAIN[PLAIN["colour"] == "red"]


@pytest.mark.parametrize(
    "estimator",
    [
        boosters.LightgbmBooster(),
        boosters.LightgbmEstimator(boosters.LightgbmBooster()),
        boosters.XgboostEstimator(),
        support.categories()[0],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize(
    "sample",
    [FRAME, PLAIN, ONLY_RED, ONLY_RED.astype({"colour": "category"})],
    ids=["whole", "plain", "red", "only"],
)
def test_the_categories_are_those_of_the_fit_whatever_the_sample_has(
    estimator: Any, sample: pd.DataFrame, suffix: str, tmp_path: Path
):
    """A request may hold a category that the sample lacks, in each format of a sample."""
    file = tmp_path / f"sample.{suffix}"
    match suffix:
        case "csv":
            sample.to_csv(file, index=False)
        case "parquet":
            sample.to_parquet(file)
        case _:
            sample.to_json(file, orient="records", lines=suffix == "jsonl")
    loaded = served(support.packaged(estimator, load_sample(file), tmp_path))
    assert loaded.contract.features[1].categories == ("blue", "red")
    rows = [[1.0, "red"], [2.0, "blue"], [3.0, "blue"]]
    direct = pd.DataFrame(rows, columns=["size", "colour"]).astype(
        {"colour": FRAME["colour"].dtype}
    )
    assert (
        loaded.predict(golden_check.batch_of(rows, loaded.contract))
        == np.asarray(estimator.predict(direct)).tolist()
    )


def test_numbers_as_categories_are_those_of_the_fit():
    """JSON and Parquet may hold them as whole numbers or, with gaps, as floats."""
    booster = boosters.LightgbmBooster()
    booster.pandas_categorical = [[3, 5, 9]]
    for codes in ([3, 9] * 5, [3.0, 9.0] * 4 + [None, 3.0], pd.Categorical([3, 9] * 5)):
        found = with_categories(pd.DataFrame({"size": range(10), "colour": codes}), booster, print)
        assert list(found["colour"].cat.categories) == [3, 5, 9]
        assert found["colour"].notna().tolist() == pd.Series(codes).notna().tolist()


def test_rows_with_a_category_beyond_the_fits_are_left_out():
    """Told with their number; nothing is left of a sample that has no others."""
    said: list[str] = []
    frame = PLAIN.assign(colour=["red", "pink"] * 10)
    assert len(with_categories(frame, boosters.LightgbmBooster(), said.append)) == 10
    assert said == [
        "  note: leaving out 10 rows with categories in colour that the fit did not have"
    ]
    with pytest.raises(StartupError, match="only 20 rows with categories in colour"):
        with_categories(PLAIN.assign(colour="pink"), boosters.LightgbmBooster(), said.append)


class Codes(TransformerMixin, BaseEstimator):
    """Takes categories by their codes, and holds none of their names."""

    def fit(self, X: pd.DataFrame, y: object = None) -> "Codes":
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        return np.c_[X["size"], X["colour"].cat.codes]


def test_categories_that_only_the_sample_tells_are_said(tmp_path: Path):
    """Packaging prints their order, on which a model that counts them depends."""
    estimator = make_pipeline(Codes(), LinearRegression()).fit(FRAME, FRAME["size"])
    said: list[str] = []
    support.packaged(estimator, FRAME, tmp_path, say=said.append)
    assert any(
        "categories of colour are those of the sample, in this order: blue, red;" in line
        for line in said
    )


def test_an_encoder_tells_categories_that_the_sample_lacks(tmp_path: Path):
    """An encoder fitted on pandas' categories takes texts, and refuses others than its own."""
    encode = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    estimator = make_pipeline(encode, LinearRegression()).fit(FRAME, FRAME["size"])
    said: list[str] = []
    loaded = served(
        support.packaged(
            estimator, ONLY_RED.astype({"colour": "category"}), tmp_path, say=said.append
        )
    )
    assert loaded.contract.features[1].dtype == "str"
    assert loaded.contract.features[1].categories == ("blue", "red")
    expected = estimator.predict(FRAME.head(2)).tolist()
    assert golden_check.same_answers(
        loaded.predict(golden_check.batch_of([[1.0, "red"], [2.0, "blue"]], loaded.contract)),
        expected,
    )
    assert not any("in this order" in line for line in said)


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning", "ignore:.*:UserWarning")
@pytest.mark.parametrize("kind", [RadiusNeighborsClassifier, RadiusNeighborsRegressor])
def test_a_graph_that_onnx_runtime_can_not_run_is_no_onnx(kind: type, tmp_path: Path):
    """Its own exceptions end no packaging."""
    X, y = support.diabetes()
    said: list[str] = []
    folder = support.packaged(kind(radius=1000).fit(X, y), X, tmp_path, say=said.append)
    assert served(folder).backend == "sklearn"
    assert any("no ONNX" in line for line in said)


def test_a_sample_in_another_order_is_put_in_that_of_the_fit(tmp_path: Path):
    """This holds for names that scikit-learn does not know of; whole numbers are names too."""
    shuffled = FRAME.assign(id=0)[["id", "colour", "size"]].astype({"colour": str})
    assert served(
        support.packaged(boosters.CatboostEstimator(), shuffled, tmp_path / "a")
    ).contract.names == (
        "size",
        "colour",
    )
    numbers = pd.DataFrame({5: [50.0] * 3, 3: [30.0] * 3})
    loaded = served(
        support.packaged(boosters.LightgbmBooster(["3", "5"], {}), numbers, tmp_path / "b")
    )
    assert loaded.predict(golden_check.batch_of([[1.0, 2.0]], loaded.contract)) == [1.0]
    assert loaded.contract.names == ("3", "5")
