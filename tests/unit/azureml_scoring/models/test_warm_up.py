"""Ready means that the model has answered something."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

import support
from azureml_scoring import log
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check, warm_up
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlflow_folder import mlflow


def from_(path: Path) -> Model:
    return load(Settings(scoring_model_path=path))


def test_a_model_that_answers_nothing_is_asked_a_bounded_number_of_times():
    """However many columns there are of which nothing is known."""
    features = tuple(Feature(f"c{place}", "any") for place in range(500))
    rows = list(warm_up.candidate_rows(Never(), Contract(features, ("predict",), "frame")))
    assert len(rows) < 100
    assert {len(row) for row in rows} == {500}


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
