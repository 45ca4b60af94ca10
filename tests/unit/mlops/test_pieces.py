from __future__ import annotations

import contextlib
import re
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, StandardScaler

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.estimators.not_an_estimator import message
from mlops.package import package

RECIPE = r"save (?:them|both) as one Pipeline, fitted as they are: `(.*)`"


def parts() -> tuple[TfidfVectorizer, LogisticRegression, pd.DataFrame]:
    model, frame = support.texts()
    return *(step for _, step in model.steps), frame


def pasted(message: str, folder: Path, **names: object) -> Pipeline:
    """Run the recipe of the message; return what it saves."""
    with contextlib.chdir(folder):
        exec(re.search(RECIPE, message)[1], names)
    return joblib.load(folder / "pipeline.joblib")


@pytest.mark.parametrize("kind", ["tuple", "list", "dict"])
def test_a_vectorizer_and_a_model_in_one_file_are_told_to_be_a_pipeline(tmp_path: Path, kind: str):
    """The message has code that makes one, in any order of the file; the result is packaged."""
    vectorizer, model, frame = parts()
    pieces = {
        "tuple": (vectorizer, model),
        "list": [model, vectorizer],
        "dict": {"clf": model, "vec": vectorizer},
    }[kind]
    with pytest.raises(StartupError, match=f"holds a {kind} of .*{RECIPE}") as caught:
        package(support.dump(pieces, tmp_path), frame, tmp_path / "out")
    whole = pasted(str(caught.value), tmp_path, pieces=pieces)
    made = package(support.dump(whole, tmp_path), frame, tmp_path / "out", golden_rows="sample")
    assert (
        made.golden_answers["predict"]
        == whole.predict(frame["text"].iloc[[0, 2, 4, 6, 8, 10, 12, 14, 16, 19]]).tolist()
    )


def test_a_model_without_its_vectorizer_is_told_to_be_half(tmp_path: Path):
    """It takes numbers, and the sample has a text."""
    vectorizer, model, frame = parts()
    with pytest.raises(
        StartupError, match=r"takes 4 numbers and the sample has one column of text"
    ) as caught:
        package(support.dump(model, tmp_path), frame, tmp_path / "out")
    assert pasted(str(caught.value), tmp_path, vectorizer=vectorizer, model=model).predict(
        frame["text"]
    ).shape == (20,)


def test_a_vectorizer_without_its_model_is_packaged_with_a_note(tmp_path: Path):
    """It may be what is wanted: a transformer is served too."""
    vectorizer, _, frame = parts()
    said: list[str] = []
    package(support.dump(vectorizer, tmp_path), frame, tmp_path / "out", say=said.append)
    assert any(
        "only transforms; if another model takes its output, save both as one Pipeline" in line
        for line in said
    )
    X, _ = support.diabetes()
    said.clear()
    package(
        support.dump(make_pipeline(PCA(2)).fit(X), tmp_path), X, tmp_path / "pca", say=said.append
    )
    assert any("only transforms" in line for line in said)


X = np.random.default_rng(0).normal(size=(60, 4))
CLASS = (X[:, 0] > X[:, 0].mean()).astype(int)
SCALER = StandardScaler().fit(X)
NARROW = PCA(2).fit(SCALER.transform(X))
ON_TWO = LogisticRegression().fit(NARROW.transform(SCALER.transform(X)), CLASS)
ALONE = LogisticRegression().fit(X, CLASS)


@pytest.mark.parametrize("with_threshold", [False, True])
@pytest.mark.parametrize(
    "pieces",
    [
        {"scaler": SCALER, "pca": NARROW, "model": ON_TWO},
        {"model": ON_TWO, "scaler": SCALER, "pca": NARROW},
        (SCALER, NARROW, ON_TWO),
    ],
)
def test_a_recipe_has_every_step_in_the_order_of_the_file(
    tmp_path: Path, pieces: object, with_threshold: bool
):
    """The model comes last; the message says what the user must check, and what is lost."""
    if with_threshold:
        pieces = {
            **(pieces if isinstance(pieces, dict) else dict(enumerate(pieces))),
            "threshold": 0.3,
        }
    said = message(pieces)
    assert "provided that the training called them in this order" in said
    assert ("FixedThresholdClassifier" in said) == with_threshold
    assert (
        pasted(said, tmp_path, pieces=pieces).predict(X)
        == ON_TWO.predict(NARROW.transform(SCALER.transform(X)))
    ).all()


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ((NARROW, SCALER, ON_TWO), "in the order in which the training called them"),
        (
            {"pca": NARROW, "scaler": SCALER, "model": ON_TWO},
            "in the order in which the training called them",
        ),
        (
            {"x": SCALER, "y": StandardScaler().fit(X[:, :1]), "model": ALONE},
            "in the order in which the training",
        ),
        ((NARROW, ALONE), "in the order in which the training called them"),
        ({"low": ALONE, "high": ALONE}, "package each by itself"),
        (
            {"model": ALONE, "label_encoder": LabelEncoder().fit(CLASS)},
            "fit the classifier on the labels themselves",
        ),
        (
            {"scaler": SCALER, "model": ALONE, "y": LabelBinarizer().fit(CLASS)},
            "keep translating its answers",
        ),
    ],
)
def test_no_recipe_is_given_where_it_would_answer_wrongly(pieces: object, said: str):
    """Pieces that do not fit together in that order, several models, and encoders of the target."""
    assert said in message(pieces)
    assert "`" not in message(pieces)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"threshold": 0.3}, "FixedThresholdClassifier(model, threshold=...)"),
        ({"feature_columns": ["a", "b"]}, "fit it on a DataFrame"),
        ({"labels": {0: "no"}}, "a server does not apply what else the file holds (labels)"),
    ],
)
def test_what_a_model_alone_would_lack_is_named(other: dict[str, object], said: str):
    """The message names scikit-learn's estimator for it, if there is one."""
    assert said in message({"model": ALONE} | other)


def test_other_collections_are_named_by_what_they_are(tmp_path: Path):
    """A dict of weights is not called the pieces of a pipeline."""
    joblib.dump({"weights": [1.0]}, tmp_path / "model.joblib")
    with pytest.raises(StartupError, match="holds a dict"):
        package(tmp_path / "model.joblib", pd.DataFrame([[1.0]]), tmp_path / "out")
