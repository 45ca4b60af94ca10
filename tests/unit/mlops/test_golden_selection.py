import functools
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.files.manifest import Manifest
from mlops import sample as samples
from mlops.package import package

Made = Callable[[], tuple[Any, pd.DataFrame]]


def diabetes() -> tuple[Any, pd.DataFrame]:
    return support.demo_estimator(), support.diabetes()[0]


def days() -> tuple[Any, pd.DataFrame]:
    frame = pd.DataFrame(
        {"day": pd.date_range("2020-01-01", periods=50), "x": np.arange(50.0) ** 2}
    )
    return Days().fit(frame), frame


class Days:
    """A model on dates."""

    def fit(self, X: pd.DataFrame) -> "Days":
        self.feature_names_in_ = np.array(X.columns)
        self.n_features_in_ = 2
        return self

    def predict(self, X: pd.DataFrame) -> list[float]:
        return [float(number) for number in X["day"].dt.dayofyear + X["x"]]


def manifest(made: Made, folder: Path, **options: Any) -> Manifest:
    estimator, frame = made()
    return Manifest.read(support.packaged(estimator, frame, folder, **options))


@pytest.fixture(scope="module")
def manifest_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Made], Manifest]:
    """Package each model once."""
    return functools.cache(lambda made: manifest(made, tmp_path_factory.mktemp("golden")))


@pytest.mark.parametrize("made", [diabetes, support.mixed, support.codes, support.categories, days])
def test_no_row_of_the_sample_is_in_the_manifest(
    made: Made, manifest_of: Callable[[Made], Manifest]
):
    """By default it holds rows like them, ten or fewer, each with an answer of each method."""
    packaged = manifest_of(made)
    known, count = samples.rows_of(made()[1]), len(packaged.golden_rows)
    assert count == (4 if made is support.categories else 10)
    assert [row for row in packaged.golden_rows if row in known] == []
    assert {len(answers) for answers in packaged.golden_answers.values()} == {count}


@pytest.mark.parametrize("made", [diabetes, support.mixed, support.codes, support.categories, days])
def test_they_are_like_the_sample(made: Made, manifest_of: Callable[[Made], Manifest]):
    """They have its range, categories and gaps, but not its minimum and maximum."""
    frame, rows = made()[1], manifest_of(made).golden_rows
    for place, column in enumerate(map(list, zip(*samples.rows_of(frame), strict=True))):
        drawn = [row[place] for row in rows]
        assert (None in drawn) == (None in column)
        there, given = (
            [value for value in values if value is not None] for values in (column, drawn)
        )
        if len(set(there)) <= 10:
            assert {*given} <= {*there}
        else:
            assert min(there) < min(given) <= max(given) < max(there)
            assert len(set(given)) > 3


def test_they_are_the_same_each_time(tmp_path: Path, manifest_of: Callable[[Made], Manifest]):
    """Two packagings of one model have one manifest."""
    first, second = manifest_of(support.mixed), manifest(support.mixed, tmp_path)
    assert (first.golden_rows, first.golden_answers) == (second.golden_rows, second.golden_answers)


def people() -> pd.DataFrame:
    """Return a sample in which each has a name, a mail address and a number of their own."""
    first, last = ["Ada", "Max", "Eva", "Ben"], ["Stone", "Rivers", "Woods"]
    count = 241  # of which deciles may be somebody's own value
    return pd.DataFrame(
        {
            "name": [f"{first[i % 4]} {last[i % 3]}-{i:03d}" for i in range(count)],
            "mail": [f"someone{i:03d}@example.org" for i in range(count)],
            "phone": [4_930_000_000 + 7_919 * i for i in range(count)],
            "salary": np.random.default_rng(0).lognormal(10, 1, count).round(2),
            "plan": ["gold", "basic", "gold"] * (count // 3) + ["basic"],
        }
    )


def of_people() -> tuple[Any, pd.DataFrame]:
    frame = people()
    estimator = make_pipeline(
        OneHotEncoder(handle_unknown="ignore", max_categories=5), LogisticRegression()
    )
    return estimator.fit(frame, frame["plan"] == "gold"), frame


def test_nothing_that_one_person_has_is_in_the_manifest(tmp_path: Path):
    """No name, address, phone number or salary, neither in golden rows nor in what drift is
    measured against; what many have is, such as the plan."""
    packaged = manifest(of_people, tmp_path)
    assert packaged.baselines
    text = next(tmp_path.rglob("manifest.json")).read_text()
    told = {str(value) for value in _scalars(json.loads(text))}
    frame = people()
    for column in ("name", "mail", "phone", "salary"):
        assert [value for value in map(str, frame[column]) if value in told] == []
    assert {"gold", "basic"} <= told


def _scalars(found: Any) -> list[Any]:
    if isinstance(found, dict | list):
        parts = found.values() if isinstance(found, dict) else found
        return [scalar for part in parts for scalar in _scalars(part)]
    return [found]


def test_texts_are_made_of_words_that_many_have(tmp_path: Path):
    """A text model gets words to answer, and no text of the sample is kept."""
    frame = pd.DataFrame(
        {"text": [f"the {word} of person{i}" for i in range(50) for word in ("good", "bad")]}
    )
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
        frame["text"], [1, 0] * 50
    )
    packaged = Manifest.read(support.packaged(estimator, frame, tmp_path))
    words = {word for (text,) in packaged.golden_rows for word in text.split()}
    assert words <= {"the", "good", "bad", "of"}
    assert {*packaged.golden_answers["predict"]} == {0, 1}


def test_a_text_that_each_row_has_for_itself_is_a_placeholder(tmp_path: Path):
    """If the model answers that; else it is one that the model file holds as well, and packaging
    says so."""
    frame = pd.DataFrame({"id": [f"person{i}" for i in range(30)], "x": np.arange(30.0)})
    answers = np.arange(30) > 15
    lenient = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(
        frame, answers
    )
    packaged = Manifest.read(support.packaged(lenient, frame, tmp_path / "lenient"))
    assert {row[0] for row in packaged.golden_rows} <= {"text", ""}
    strict = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, answers)
    said: list[str] = []
    packaged = package(support.dump(strict, tmp_path), frame, tmp_path / "out", say=said.append)
    assert {row[0] for row in packaged.golden_rows} <= {*frame["id"]}
    assert (
        "  note: the manifest lists the fit's values of id, x: the model refuses all others" in said
    )


def test_there_are_enough_to_test_a_model_of_few_values(tmp_path: Path):
    """If nearly all combinations are in the sample, some of them are golden rows."""
    X = np.array(list(itertools.product(range(3), repeat=4))[1:] * 4)
    estimator = KNeighborsClassifier(1).fit(X, X.sum(axis=1) % 2)
    packaged = Manifest.read(support.packaged(estimator, pd.DataFrame(X), tmp_path))
    assert len(packaged.golden_rows) > 3
    assert {*packaged.golden_answers["predict"]} == {0, 1}


def test_rows_that_can_only_repeat_the_sample_are_told(tmp_path: Path):
    """A single column with a few categories can only repeat it."""
    frame = pd.DataFrame({"plan": ["gold", "basic"] * 20})
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, [1, 0] * 20)
    said: list[str] = []
    package(support.dump(estimator, tmp_path), frame, tmp_path / "out", say=said.append)
    assert "  golden rows: 2 like the sample's, of which 2 happen to be in it" in said


class OnlyKnown:
    """Refuses what it was not fitted on."""

    n_features_in_ = 2

    def fit(self, X: np.ndarray) -> "OnlyKnown":
        self.known = {tuple(row) for row in X.tolist()}
        return self

    def predict(self, X: np.ndarray) -> list[float]:
        if not {tuple(row) for row in np.asarray(X).tolist()} <= self.known:
            raise ValueError("not known")
        return [float(row[0]) for row in np.asarray(X)]


def test_a_model_that_answers_its_sample_only_is_told_the_two_ways_out(tmp_path: Path):
    """Rows of the sample are never kept unasked."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    estimator, frame = OnlyKnown().fit(X), pd.DataFrame(X)
    with pytest.raises(
        StartupError,
        match=r"--golden-rows FILE, or keep some of the sample by --golden-rows sample\.$",
    ):
        support.packaged(estimator, frame, tmp_path / "refused")
    for place, source in enumerate(["sample", frame.head(2)]):
        kept = Manifest.read(
            support.packaged(estimator, frame, tmp_path / f"{place}", golden_rows=source)
        ).golden_rows
        assert [row for row in kept if tuple(row) not in estimator.known] == []


@pytest.mark.parametrize("made", [diabetes, support.mixed, support.codes, support.categories])
def test_they_catch_another_model(made: Made, manifest_of: Callable[[Made], Manifest]):
    """One that was trained on other answers, and one whose numbers are a thousandth off."""
    estimator, frame = made()
    packaged = manifest_of(made)
    golden_check.check(packaged, Predictor(estimator, packaged.contract))
    other = clone(estimator).fit(frame, np.arange(len(frame)) % 3 == 0)
    with pytest.raises(StartupError, match="golden rows"):
        golden_check.check(packaged, Predictor(other, packaged.contract))
    if hasattr(estimator[-1] if hasattr(estimator, "steps") else None, "coef_"):
        estimator[-1].coef_ *= 1.001
        with pytest.raises(StartupError, match="golden rows"):
            golden_check.check(packaged, Predictor(estimator, packaged.contract))


def test_a_forest_with_one_tree_changed_is_caught(tmp_path: Path):
    """A library that reads a file differently has the same effect."""
    from sklearn.ensemble import RandomForestClassifier

    X, y = support.diabetes()
    estimator = RandomForestClassifier(20, random_state=0).fit(X, y)
    packaged = Manifest.read(support.packaged(estimator, X, tmp_path))
    estimator.estimators_[7] = (
        RandomForestClassifier(1, random_state=1).fit(X.to_numpy(), 1 - y).estimators_[0]
    )
    with pytest.raises(StartupError, match="golden rows"):
        golden_check.check(packaged, Predictor(estimator, packaged.contract))
