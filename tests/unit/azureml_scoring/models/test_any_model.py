"""Whatever a model does in packaging and loading, the user gets one sentence, never a traceback."""

from pathlib import Path
from typing import Any

import boosters
import joblib
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
from azureml_scoring.errors import ModelFailed, ModelRefusedInput, StartupError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.fit_categories import with_categories
from mlops.sample_file import load as load_sample

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
    """An encoder fitted on pandas categories adds its own to the sample's."""
    encode = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    estimator = make_pipeline(encode, LinearRegression()).fit(FRAME, FRAME["size"])
    said: list[str] = []
    loaded = served(
        support.packaged(
            estimator, ONLY_RED.astype({"colour": "category"}), tmp_path, say=said.append
        )
    )
    assert loaded.contract.features[1].categories == ("red", "blue")
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


class Faulty:
    """``boosters.Own`` whose attribute ``fault`` raises ``error``; ``seen``: attributes read."""

    seen: set[str] = set()  # noqa: RUF012
    fault: str | None = None
    error: type[BaseException] = RuntimeError

    def __getattribute__(self, name: str) -> Any:
        kind = type.__getattribute__(Faulty, "__dict__")
        if not name.startswith("__reduce") and name not in (
            "__class__",
            "__dict__",
            "__setstate__",
            "__getstate__",
        ):
            kind["seen"].add(name)
            if name == kind["fault"]:
                raise kind["error"]("4711")
        return object.__getattribute__(self, name)

    def predict(self, X: Any) -> Any:
        return np.asarray(X)[:, 0]


def attributes_looked_at(tmp_path: Path) -> list[str]:
    served(support.packaged(Faulty(), NUMBERS, tmp_path / "all"))
    return sorted(Faulty.seen)


@pytest.mark.parametrize("error", [RuntimeError, AttributeError, SystemExit, MemoryError])
def test_an_attribute_that_raises_is_one_sentence_or_none(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An attribute may raise in packaging or loading: one sentence, or none if it isn't needed."""
    names = attributes_looked_at(tmp_path)
    assert {
        "predict",
        "predict_proba",
        "n_features_in_",
        "feature_names_in_",
        "cacheable",
        "best_estimator_",
    } <= {*names}
    raw = support.dump(Faulty(), tmp_path / "raw")
    for place, name in enumerate(names):
        for whole in (True, False):
            monkeypatch.setattr(Faulty, "error", error)
            monkeypatch.setattr(Faulty, "fault", name)
            try:
                if whole:
                    support.packaged(Faulty(), NUMBERS, tmp_path / f"{error.__name__}{place}")
                else:
                    served(raw)
            except StartupError as told:
                assert "\n" not in str(told)  # noqa: PT017
                assert str(told).endswith(".")  # noqa: PT017
            finally:
                monkeypatch.setattr(Faulty, "fault", None)


class Moody:
    """Raises or answers with something odd at the ``turn``-th call of predict."""

    n_features_in_ = 2
    calls = 0
    turn = 0
    act: Any = None

    def predict(self, X: Any) -> Any:
        Moody.calls += 1
        if Moody.turn == Moody.calls:
            return Moody.act(X)
        return np.asarray(X)[:, 0]


def raising(error: BaseException) -> Any:
    def act(X: Any) -> Any:
        raise error

    return act


@pytest.mark.parametrize(
    "act",
    [
        *map(
            raising,
            [
                RuntimeError("4711"),
                SystemExit(3),
                ValueError("two\nlines"),
                RecursionError(),
                StopIteration(),
            ],
        ),
        lambda X: "a" * len(X),
        lambda X: None,
        lambda X: dict.fromkeys(range(len(X)), 1),
        lambda X: [{1: 2}] * len(X),
        lambda X: [object()] * len(X),
        lambda X: [2**70] * len(X),
        lambda X: np.full(len(X), np.nan),
        lambda X: np.zeros(len(X) + 1),
        lambda X: [[1]] + [[1, 2]] * (len(X) - 1),
        lambda X: [[1, [{"a": np.nan}]]] * len(X),
        lambda X: [b"a"] * len(X),
        lambda X: np.array(["2020"] * len(X), dtype="datetime64[s]"),
    ],
)
def test_a_model_that_fails_at_any_call_is_one_sentence_or_none(act: Any, tmp_path: Path):
    """Measured, tried and compared, then loaded: the first, the second, ... call fails, or answers
    oddly."""
    Moody.act = staticmethod(act)
    raw = support.dump(Moody(), tmp_path / "raw")
    done = False
    for Moody.turn in range(1, 30):
        for folder in (tmp_path / str(Moody.turn), None):
            Moody.calls = 0
            try:
                if folder:
                    served(support.packaged(Moody(), NUMBERS, folder))
                else:
                    served(raw)
            except StartupError as told:
                assert "\n" not in str(told)  # noqa: PT017
            done = done or (folder is not None and Moody.calls < Moody.turn)
        if done:
            break
    Moody.turn = 0
    assert done


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda X: "ab", "The model answered with a str in place of one answer a row."),
        (lambda X: None, "The model answered with a NoneType in place of one answer a row."),
        (
            lambda X: {"a": 1, "b": 2},
            "The model answered with a dict in place of one answer a row.",
        ),
        (lambda X: 3.5, "The model answered with a float in place of one answer a row."),
        (lambda X: [1], "The model gave 1 answers to 2 rows."),
    ],
)
def test_an_answer_that_is_none_is_the_models_failure(act: Any, message: str, tmp_path: Path):
    """The message says so; a text of two characters is not taken for the answers to two rows."""
    loaded = served(support.dump(Moody(), tmp_path))
    Moody.act, Moody.turn = staticmethod(act), Moody.calls + 1
    with pytest.raises(ModelFailed) as caught:
        loaded.predict(golden_check.batch_of([[1.0, 2.0], [3.0, 4.0]], loaded.contract))
    assert caught.value.message == message
    Moody.act, Moody.turn = staticmethod(raising(ValueError("no"))), Moody.calls + 1
    with pytest.raises(ModelRefusedInput):
        loaded.predict(golden_check.batch_of([[1.0, 2.0]], loaded.contract))
    assert joblib.load(tmp_path / "model.joblib").n_features_in_ == 2
