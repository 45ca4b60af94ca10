from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.predictor import Predictor
from mlops import probe
from mlops.measure import measure as measured

WIDE = pd.DataFrame(
    np.random.default_rng(0).normal(size=(5, 300)), columns=[f"f{j}" for j in range(300)]
)


def silent(line: str) -> None:
    pass


def imputing(columns: list[str]) -> Any:
    """A model that takes missing values in these columns of the wide sample."""
    transformer = make_column_transformer((SimpleImputer(), columns), remainder="passthrough")
    return make_pipeline(transformer, LinearRegression()).fit(WIDE, WIDE["f0"])


@pytest.mark.slow
@pytest.mark.parametrize("taken", [0, 7, 150, 300])
def test_each_of_many_features_is_tried_without_a_value(taken: int):
    """The contract is right whether all, some or no features may be missing."""
    columns = list(WIDE.columns[300 - taken :])
    model = imputing(columns) if taken else LinearRegression().fit(WIDE, WIDE["f0"])
    features = measured(model, WIDE, silent).contract.features
    assert [feature.name for feature in features if feature.missing] == columns


def test_a_wide_sample_is_read_a_few_times_not_once_a_feature(monkeypatch: pytest.MonkeyPatch):
    """Reading it once per feature took two minutes for 1,500 features."""
    asked: list[int] = []
    read = golden_check.batch_of

    def counting(rows: Any, contract: Any) -> Any:
        asked.append(len(rows))
        return read(rows, contract)

    monkeypatch.setattr(golden_check, "batch_of", counting)
    measured(LinearRegression().fit(WIDE, WIDE["f0"]), WIDE, silent)
    assert len(asked) < 20


def test_how_long_it_takes_is_told(monkeypatch: pytest.MonkeyPatch):
    """Progress is printed if it takes long."""
    told: list[str] = []
    monkeypatch.setattr(probe, "PROGRESS_FROM_S", 0.0)
    measured(LinearRegression().fit(WIDE, WIDE["f0"]), WIDE, told.append)
    [first, second] = [line for line in told if "without a value" in line]
    assert first.startswith("  tried 100 of 300 features without a value, about ")
    assert second.startswith("  tried 200 of 300 features")


AGES = pd.DataFrame({"age": range(20, 50), "visits": [1, 2, 3] * 10}).astype(float)
WHOLE = AGES.astype(int)
"""What a CSV of the same rows is read as."""


class AsText(TransformerMixin, BaseEstimator):
    """Reads whole numbers as texts, so that 1.0 is not 1 to it."""

    def fit(self, X: pd.DataFrame, y: object = None) -> "AsText":
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        return X.astype(str).isin(["1", "2"]).to_numpy(dtype=float)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(),
        DecisionTreeRegressor(),
        RandomForestClassifier(5, random_state=0),
        ExtraTreesClassifier(5, random_state=0),
        KNeighborsClassifier(),
        GaussianNB(),
        make_pipeline(SimpleImputer(), RandomForestClassifier(5, random_state=0)),
        make_pipeline(
            make_column_transformer((StandardScaler(), ["age"]), ("passthrough", ["visits"])),
            DecisionTreeClassifier(),
        ),
    ],
    ids=lambda model: type(model[-1] if hasattr(model, "steps") else model).__name__,
)
def test_fractions_are_answered_though_the_sample_has_none(model: Any):
    """This holds even if log-probabilities are infinite on each row."""
    model.fit(AGES, AGES["age"] > 33)
    contract = measured(model, WHOLE, silent).contract
    asked = golden_check.batch_of([[40.5, 1], [20.25, 2.5]], contract)
    direct = model.predict(pd.DataFrame([[40.5, 1], [20.25, 2.5]], columns=AGES.columns))
    assert Predictor(model, contract)(asked) == direct.tolist()


def test_a_column_that_must_stay_whole_holds_no_other_back():
    """Each column is tried by itself."""
    frame = pd.DataFrame({f"n{j}": range(30) for j in range(5)} | {"code": [1, 2, 3] * 10})
    columns = make_column_transformer((AsText(), ["code"]), remainder="passthrough")
    model = make_pipeline(columns, DecisionTreeClassifier()).fit(frame, frame["code"] > 1)
    features = measured(model, frame, silent).contract.features
    assert [feature.dtype for feature in features] == ["float64"] * 5 + ["int64"]


def test_the_order_of_columns_is_told_where_only_the_sample_knows_it():
    """A model fitted on an array can't say whether the sample's order is that of its fit."""
    told: list[str] = []
    measured(
        LinearRegression().fit(AGES.to_numpy(), AGES["age"]), AGES[["visits", "age"]], told.append
    )
    [note] = [line for line in told if "order" in line]
    assert note.strip() == (
        "note: the model has no column names, so the columns are taken in the sample's order "
        "(visits, age): check that it is the order of the fit"
    )


@pytest.mark.parametrize(
    ("named", "sample"),
    [(True, AGES), (False, pd.DataFrame(AGES.to_numpy())), (False, AGES[["age"]])],
)
def test_no_order_is_told_where_none_can_be_wrong(named: bool, sample: pd.DataFrame):
    """The model has names, or the sample has none, or there is a single column."""
    told: list[str] = []
    measured(
        LinearRegression().fit(sample if named else sample.to_numpy(), AGES["age"]),
        sample,
        told.append,
    )
    assert not any("order" in line for line in told)


def test_a_signature_tells_the_order_of_columns():
    """MLflow's, of a model that was fitted on an array; not one that names columns which the sample
    lacks."""
    told: list[str] = []
    model, sample = LinearRegression().fit(AGES.to_numpy(), AGES["age"]), AGES[["visits", "age"]]
    contract = measured(
        model, sample, told.append, signature=[Feature("age"), Feature("visits")]
    ).contract
    assert contract.names == ("age", "visits")
    assert not any("order" in line for line in told)
    assert measured(
        model, sample, told.append, signature=[Feature("age"), Feature("other")]
    ).contract.names == (
        "visits",
        "age",
    )
    assert any("order" in line for line in told)
