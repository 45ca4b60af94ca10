from __future__ import annotations

import re
from pathlib import Path

import joblib
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import support
from errors import StartupError
from mlops.package import package

CALL = r"sklearn\.pipeline\.make_pipeline\((.*), (.*)\), and save that Pipeline\.$"
EXAMPLE = (
    r"save both as one Pipeline, fitted as they are:\n\n *model = sklearn\.pipeline\.make_pipeline\((.*), (.*)\)\n"
)


def parts() -> tuple[TfidfVectorizer, LogisticRegression, pd.DataFrame]:
    model, frame = support.texts()
    return *(step for _, step in model.steps), frame


@pytest.mark.parametrize("kind", ["tuple", "list", "dict"])
def test_a_vectorizer_and_a_model_in_one_file_are_told_to_be_a_pipeline(tmp_path: Path, kind: str):
    """With the call that makes it, whatever their order in the file; what it makes is packaged."""
    vectorizer, model, frame = parts()
    pieces = {"tuple": (vectorizer, model), "list": [model, vectorizer], "dict": {"clf": model, "vec": vectorizer}}[
        kind
    ]
    with pytest.raises(StartupError, match=rf"holds a {kind} of .*, as in {CALL}") as caught:
        package(support.dump(pieces, tmp_path), frame, tmp_path / "out")
    first, last = re.search(CALL, str(caught.value)).groups()
    whole = eval(f"make_pipeline({first}, {last})", {"make_pipeline": make_pipeline, "pieces": pieces})
    assert isinstance(whole, Pipeline)
    made = package(support.dump(whole, tmp_path), frame, tmp_path / "out")
    assert (
        made.golden_answers["predict"]
        == whole.predict(frame["text"].iloc[[0, 2, 4, 6, 8, 10, 12, 14, 16, 19]]).tolist()
    )


def test_a_model_without_its_vectorizer_is_told_to_be_half(tmp_path: Path):
    """It takes numbers, and the sample has a text."""
    _, model, frame = parts()
    with pytest.raises(StartupError, match=r"takes 4 numbers and the sample has one column of text") as caught:
        package(support.dump(model, tmp_path), frame, tmp_path / "out")
    assert re.search(EXAMPLE, str(caught.value)).groups() == ("vectorizer", "model")


def test_a_vectorizer_without_its_model_is_packaged_with_a_note(tmp_path: Path):
    """It may be what is wanted: a transformer is served too."""
    vectorizer, _, frame = parts()
    said: list[str] = []
    package(support.dump(vectorizer, tmp_path), frame, tmp_path / "out", say=said.append)
    assert any(
        "only transforms; if another model takes its answers, save both as one Pipeline" in line for line in said
    )
    X, _ = support.diabetes()
    said.clear()
    package(support.dump(make_pipeline(PCA(2)).fit(X), tmp_path), X, tmp_path / "pca", say=said.append)
    assert any("only transforms" in line for line in said)


def test_other_collections_are_named_by_what_they_are(tmp_path: Path):
    """Weights in a dict are no pieces of a pipeline."""
    joblib.dump({"weights": [1.0]}, tmp_path / "model.joblib")
    with pytest.raises(StartupError, match="holds a dict"):
        package(tmp_path / "model.joblib", pd.DataFrame([[1.0]]), tmp_path / "out")
