"""Ready means that the model has answered something."""

import json
from pathlib import Path
from typing import Any

import boosters
import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
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
from azureml_scoring import log
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract, Feature
from azureml_scoring.models import golden_check, warm_up
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops import sample_file
from mlops.package import package


def from_(path: Path) -> Model:
    return load(Settings(scoring_model_path=path))


def mlflow(folder: Path, inputs: list[dict[str, object]], example: object = None) -> Path:
    document = {
        "flavors": {"sklearn": {"pickled_model": "model.joblib"}},
        "signature": {"inputs": json.dumps(inputs)},
        "saved_input_example_info": {"artifact_path": "input_example.json"},
    }
    (folder / "MLmodel").write_text(json.dumps(document))
    if example is not None:
        (folder / "input_example.json").write_text(json.dumps(example))
    return folder


FRAME = pd.DataFrame(
    {
        "plan": ["basic", "gold", "gold", "basic"] * 5,
        "note": ["good day", "bad day", "good night", "bad night"] * 5,
        "size": [1.0, 2.0, 3.0, 4.0] * 5,
        "code": [7, 8, 9, 7] * 5,
    }
)


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


def test_a_model_that_answers_nothing_is_asked_a_bounded_number_of_times():
    """However many columns there are of which nothing is known."""
    features = tuple(Feature(f"c{place}", "any") for place in range(500))
    rows = list(warm_up.candidate_rows(Never(), Contract(features, ("predict",), "frame")))
    assert len(rows) < 100
    assert {len(row) for row in rows} == {500}


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


ENCODED = make_pipeline(OneHotEncoder(), LogisticRegression())
IMPUTED = make_pipeline(
    SimpleImputer(strategy="most_frequent"), OneHotEncoder(), LogisticRegression()
)


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


def test_pandas_categories_are_served_without_packaging(tmp_path: Path):
    """Whole requests of them, with gaps among the numbers."""
    estimator, frame = support.categories()
    loaded = from_(support.dump(estimator, tmp_path))
    rows = [[1.0, "red"], [2.0, "blue"], [None, "red"]]
    known = frame.iloc[[0, 1, 0]].assign(size=[1.0, 2.0, np.nan])
    assert (
        loaded.predict(golden_check.batch_of(rows, loaded.contract))
        == estimator.predict(known).tolist()
    )


def test_one_line_says_what_packaging_would_add(
    demo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The log line appears at the start of a model that is not packaged, and of no other."""
    said = list[str]()
    monkeypatch.setattr(log, "event", lambda message, *_: said.append(message))
    from_(demo_model)
    assert said == []
    from_(support.dump(support.demo_estimator(), tmp_path))
    (line,) = said
    assert line.startswith(
        "This model is not packaged: `mlops package MODEL --sample DATA --out DIR` adds checksums, "
    )


class Positive(BaseEstimator):
    """Refuses zeros, as a logarithm does."""

    n_features_in_ = 1

    def predict(self, X: np.ndarray) -> np.ndarray:
        if (X <= 0).any():
            raise ValueError("must be positive")
        return np.log(X[:, 0])


class Never(Positive):
    def predict(self, X: np.ndarray) -> np.ndarray:
        raise ValueError("could not\nconvert it")


class Only47(Positive):
    def predict(self, X: Any) -> np.ndarray:
        values = np.asarray(X)
        if (values != 47).any():
            raise ValueError("not known")
        return values[:, 0]


def test_a_model_that_refuses_zeros_starts(tmp_path: Path):
    """Another row is tried, and shown as the example."""
    assert from_(support.dump(Positive(), tmp_path)).example == [[1]]


def test_a_model_that_answers_nothing_does_not_start(tmp_path: Path):
    """The sentence says what it raised, on one line, and how to give it rows of its own."""
    with pytest.raises(StartupError) as caught:
        from_(support.dump(Never(), tmp_path))
    assert str(caught.value) == (
        "The model answers none of the rows that could be made for it (predict: ValueError: could "
        "not convert it); "
        "package it with `mlops package MODEL --sample DATA --out DIR`, which tries rows of the "
        "sample."
    )


def test_obeying_the_sentence_works(tmp_path: Path):
    """A packaged model is tried with rows of its sample."""
    with pytest.raises(StartupError, match="not known"):
        from_(support.dump(Only47(), tmp_path))
    assert from_(
        support.packaged(Only47(), pd.DataFrame({"a": [47.0] * 3}), tmp_path / "p")
    ).golden_rows


@pytest.mark.parametrize(
    "example", [{"columns": ["x", "a"], "data": [[1, 47]]}, {"inputs": [[47]]}]
)
def test_mlflows_input_example_is_tried_first(example: object, tmp_path: Path):
    """It was saved with the model for that."""
    support.dump(Only47(), tmp_path)
    inputs: list[dict[str, object]] = [{"type": "double", "name": "a"}]
    assert from_(mlflow(tmp_path, inputs, example)).example == [[47]]
    for broken in (
        {"columns": ["x"], "data": [[1]]},
        {"inputs": []},
        {"inputs": 5},
        {"columns": 5, "data": [5]},
    ):
        with pytest.raises(StartupError, match="not known"):
            from_(mlflow(tmp_path, inputs, broken))


def test_a_packaged_model_without_golden_answers_is_tried_too(tmp_path: Path):
    """It answered differently each time, but now it fails."""
    from scripted import Dice

    folder = support.packaged(Dice(), pd.DataFrame([[0.0]] * 3), tmp_path)
    assert json.loads((folder / "manifest.json").read_text())["golden_answers"] == {}
    Dice.predict, answers = (lambda self, X: 1 / 0), Dice.predict
    try:
        with pytest.raises(StartupError, match="ZeroDivisionError"):
            from_(folder)
    finally:
        Dice.predict = answers


def dates() -> tuple[object, pd.DataFrame]:
    frame = pd.DataFrame(
        {"day": pd.to_datetime(["2020-01-05", "2021-06-01", "2022-12-31"] * 5), "n": range(15)}
    )
    years = FunctionTransformer(year)
    columns = make_column_transformer((years, ["day"]), remainder="passthrough")
    return make_pipeline(columns, LinearRegression()).fit(frame, frame["day"].dt.year), frame


def year(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.dt.year)


def test_a_datetime_of_a_signature_is_taken_as_iso_text(tmp_path: Path):
    """The model gets it in the type of its fit."""
    estimator, _ = dates()
    support.dump(estimator, tmp_path)
    folder = mlflow(
        tmp_path, [{"type": "datetime", "name": "day"}, {"type": "double", "name": "n"}]
    )
    loaded = from_(folder)
    rows = [["2020-03-04", 1.0], ["2021-03-04T23:59:59.999999999", 2.0], ["2022-03-04 10:00", 3.0]]
    assert loaded.predict(golden_check.batch_of(rows, loaded.contract)) == pytest.approx(
        [2020, 2021, 2022]
    )


def test_a_datetime_of_a_sample_is_packaged(tmp_path: Path):
    """A Parquet sample may hold datetimes."""
    estimator, frame = dates()
    loaded = from_(support.packaged(estimator, frame, tmp_path))
    assert [feature.dtype for feature in loaded.contract.features] == ["datetime", "float64"]
    assert loaded.predict(
        golden_check.batch_of([["1999-12-31", 1.0]], loaded.contract)
    ) == pytest.approx([1999])


def test_a_datetime_of_a_csv_is_packaged(tmp_path: Path):
    """--dtype or a signature says so, since a CSV has no types."""
    estimator, frame = dates()
    frame.to_csv(tmp_path / "sample.csv", index=False)
    file = support.dump(estimator, tmp_path / "raw")
    for name, path, told in (
        ("told", file, {"day": Feature("day", "datetime")}),
        ("signed", file.parent, None),
    ):
        if not told:
            mlflow(path, [{"type": "datetime", "name": "day"}, {"type": "long", "name": "n"}])
        package(path, sample_file.load(tmp_path / "sample.csv"), tmp_path / name, user_types=told)
        loaded = from_(tmp_path / name)
        assert [feature.dtype for feature in loaded.contract.features] == ["datetime", "float64"]
        assert loaded.predict(
            golden_check.batch_of([["1999-12-31", 1.0]], loaded.contract)
        ) == pytest.approx([1999])


@pytest.mark.parametrize(
    ("estimator", "dtypes", "names"),
    [
        (boosters.LightgbmBooster(), ["float64", "category"], ("size", "colour")),
        (
            boosters.LightgbmEstimator(boosters.LightgbmBooster()),
            ["float64", "category"],
            ("size", "colour"),
        ),
        (boosters.LightgbmBooster(["Column_0", "Column_1"], {}), ["float64", "float64"], None),
        (boosters.LightgbmBooster(["3", "5"], {}), ["float64", "float64"], ("3", "5")),
        (boosters.XgboostEstimator(), ["float64", "category"], ("size", "colour")),
        (boosters.CatboostEstimator(), ["float64", "any"], ("size", "colour")),
        (boosters.CatboostEstimator(["0", "1"], []), ["float64", "float64"], None),
    ],
)
def test_a_booster_that_is_not_packaged_is_served_as_far_as_it_tells(
    estimator: object, dtypes: list[str], names: object, tmp_path: Path
):
    """Its names, its categories, and the number of its features."""
    loaded = from_(support.dump(estimator, tmp_path))
    assert ([f.dtype for f in loaded.contract.features], loaded.contract.names) == (dtypes, names)
    texts = "float64" not in dtypes[1]
    row = [1.5, "red"] if texts else [1.5, 2.0]
    assert loaded.predict(golden_check.batch_of([row], loaded.contract)) == [4.5 if texts else 1.5]


@pytest.mark.parametrize("in_a_vote", [False, True])
def test_a_signature_does_not_make_texts_of_a_boosters_categories(in_a_vote: bool, tmp_path: Path):
    """MLflow has no type for them."""
    estimator: Any = boosters.LightgbmEstimator(boosters.LightgbmBooster())
    if in_a_vote:
        vote = VotingRegressor([("one", estimator)])
        vote.estimators_, vote.feature_names_in_, estimator = [estimator], ["size", "colour"], vote
    support.dump(estimator, tmp_path)
    inputs: list[dict[str, object]] = [
        {"type": "double", "name": "size"},
        {"type": "string", "name": "colour"},
    ]
    loaded = from_(mlflow(tmp_path, inputs))
    assert [(f.dtype, f.missing) for f in loaded.contract.features] == [
        ("float64", False),
        ("category", True),
    ]
    assert loaded.predict(golden_check.batch_of([[1.5, "red"]], loaded.contract)) == [4.5]


def test_a_booster_that_lacks_its_categories_must_be_packaged(tmp_path: Path):
    """Guessing them would be a wrong answer; packaging has them from the sample."""
    sample = pd.DataFrame({"size": [1.0, 2.0] * 5, "colour": pd.Categorical(["blue", "red"] * 5)})
    for place, estimator in enumerate(
        [
            boosters.XgboostEstimator(cats=False),
            boosters.LightgbmBooster(params={"categorical_column": [0, 1]}),
        ]
    ):
        assert from_(support.packaged(estimator, sample, tmp_path / f"p{place}")).golden_rows
        with pytest.raises(
            StartupError,
            match=r"categor.*package it with `mlops package MODEL --sample DATA --out DIR`",
        ):
            from_(support.dump(estimator, tmp_path / str(place)))


def test_whole_numbers_as_names_are_names(tmp_path: Path):
    """A model fitted on columns 3 and 5 takes them in any order, as numbers or as texts."""
    loaded = from_(support.dump(boosters.LightgbmBooster(["3", "5"], {}), tmp_path))
    for columns in ([5, 3], ["5", "3"]):
        body = orjson.dumps({"input_data": {"columns": columns, "data": [[50.0, 30.0]]}})
        assert loaded.predict(
            golden_check.validate(body, loaded.contract, golden_check.NO_LIMITS)
        ) == [30.0]
