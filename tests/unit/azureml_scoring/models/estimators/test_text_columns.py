"""Which columns hold text is known from an encoder, or found by trying."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

import support
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings


def from_(path: Path) -> Model:
    return load(Settings(scoring_model_path=path))


FRAME = pd.DataFrame(
    {
        "plan": ["basic", "gold", "gold", "basic"] * 5,
        "note": ["good day", "bad day", "good night", "bad night"] * 5,
        "size": [1.0, 2.0, 3.0, 4.0] * 5,
        "code": [7, 8, 9, 7] * 5,
    }
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "columns",
    [
        make_column_transformer((OneHotEncoder(), ["plan", "code"])),
        make_column_transformer((OneHotEncoder(), ["plan"]), remainder="passthrough"),
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder()), ["plan"])
        ),
        make_column_transformer((StandardScaler(), ["size"]), (TargetEncoder(), ["code", "plan"])),
        make_column_transformer((TfidfVectorizer(), "note"), (OneHotEncoder(), ["plan"])),
    ],
)
def test_encoders_tell_what_a_row_may_hold(columns: BaseEstimator, tmp_path: Path):
    """Whatever is unknown to them they refuse, so a row of zeros and empty texts would be no
    trial."""
    frame = FRAME[["plan", "size", "code"]] if columns.remainder == "passthrough" else FRAME
    search = GridSearchCV(
        make_pipeline(columns, LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2
    )
    for name, estimator in (("pipeline", search.estimator), ("search", search)):
        fitted = estimator.fit(frame, frame["size"] > 2)
        loaded = from_(support.dump(fitted, tmp_path / name))
        assert loaded.predict(golden_check.batch_of(list(loaded.example), loaded.contract))[0] in (
            True,
            False,
        )


def lowered(texts: pd.Series) -> pd.Series:
    return texts.str.lower()


class Words(TransformerMixin, BaseEstimator):
    """Takes one column of texts, and has no tags that say so."""

    def fit(self, X: Any, y: object = None) -> "Words":
        return self

    def transform(self, X: Any) -> np.ndarray:
        return np.array([[len(text.split())] for text in X])


WORDS = make_pipeline(FunctionTransformer(lowered), TfidfVectorizer())
NUMBERED = {f"n{place}": range(20) for place in range(20)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "frame"),
    [
        (
            make_column_transformer((TfidfVectorizer(), "note"), remainder="passthrough"),
            FRAME[["note", "size"]],
        ),
        (
            make_column_transformer((WORDS, "note"), remainder="passthrough"),
            FRAME[["note", "size", "code"]],
        ),
        (
            make_column_transformer((Words(), "note"), remainder="passthrough"),
            FRAME[["size", "note"]],
        ),
        (
            make_column_transformer((Words(), "note"), (WORDS, "plan"), remainder="passthrough"),
            FRAME,
        ),
        (
            make_column_transformer(
                (OneHotEncoder(), ["plan"]), (Words(), "note"), remainder="passthrough"
            ),
            FRAME,
        ),
        (
            make_column_transformer((WORDS, "note"), remainder="passthrough"),
            FRAME[["note"]].assign(**NUMBERED),
        ),
    ],
)
def test_texts_and_numbers_are_tried_where_nothing_tells_which_is_which(
    columns: BaseEstimator, frame: pd.DataFrame, tmp_path: Path
):
    """Few columns in each combination, many one by one."""
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10)
    loaded = from_(support.dump(estimator, tmp_path))
    rows = frame.head(3).astype(object).to_numpy().tolist()
    assert (
        loaded.predict(golden_check.batch_of(rows, loaded.contract))
        == estimator.predict(frame.head(3)).tolist()
    )


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


ENCODED = make_pipeline(OneHotEncoder(), LogisticRegression())
IMPUTED = make_pipeline(
    SimpleImputer(strategy="most_frequent"), OneHotEncoder(), LogisticRegression()
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        ENCODED,
        IMPUTED,
        make_pipeline(make_union(OneHotEncoder(), OrdinalEncoder()), LogisticRegression()),
        make_pipeline(FunctionTransformer(as_it_is), OneHotEncoder(), LogisticRegression()),
        GridSearchCV(IMPUTED, {"logisticregression__C": [1.0]}, cv=2),
        VotingClassifier([("one", IMPUTED)]),
        StackingClassifier([("one", IMPUTED)], cv=2),
        CalibratedClassifierCV(IMPUTED, cv=2),
        FixedThresholdClassifier(IMPUTED),
        TransformedTargetRegressor(make_pipeline(OneHotEncoder(), LinearRegression())),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("named", [True, False])
def test_columns_of_texts_are_known_wherever_their_encoder_is(
    estimator: BaseEstimator, named: bool, tmp_path: Path
):
    """An encoder behind imputers, in searches or in ensembles still makes its column text."""
    frame = FRAME[["plan"]]
    fitted = clone(estimator).fit(
        frame if named else frame.to_numpy(), (FRAME["plan"] == "gold") * 1
    )
    loaded = from_(support.dump(fitted, tmp_path))
    assert loaded.example == [["basic"]]
    answers = loaded.predict(golden_check.batch_of([["gold"], ["basic"]], loaded.contract))
    assert answers == pytest.approx([1, 0])


def test_booleans_that_an_encoder_knows_are_no_numbers(tmp_path: Path):
    """They stay booleans behind a step that says nothing of its columns."""
    frame = pd.DataFrame({"flag": [True, False] * 10})
    estimator = make_pipeline(FunctionTransformer(as_it_is), OneHotEncoder(), LogisticRegression())
    loaded = from_(support.dump(estimator.fit(frame, frame["flag"]), tmp_path))
    assert loaded.predict(golden_check.batch_of([[True], [False]], loaded.contract)) == [
        True,
        False,
    ]
