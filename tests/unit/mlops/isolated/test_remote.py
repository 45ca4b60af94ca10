"""An estimator in another process answers, refuses and fails as it would here."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import support
from azureml_scoring.errors import StartupError
from mlops.isolated.remote import Remote, remote

PYTHON = Path(sys.executable)
X = np.random.default_rng(0).normal(size=(40, 3))


@pytest.fixture(scope="module")
def process() -> Iterator[Remote]:
    with remote(PYTHON, [str(support.MODELS)]) as started:
        yield started


def test_methods_and_answers_are_the_estimators(process: Remote, tmp_path: Path):
    """Also of a step inside of it."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)
    process.load(support.dump(model, tmp_path))
    assert process.methods([]) == [
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
    ]
    np.testing.assert_array_equal(process.call([], "predict_proba", X), model.predict_proba(X))
    scaler = [["attribute", "steps", 0]]
    assert process.methods(scaler) == ["transform"]
    np.testing.assert_array_equal(process.call(scaler, "transform", X), model[0].transform(X))


def test_a_frame_is_one_there(process: Remote, tmp_path: Path):
    """Columns are found by name."""
    model, frame = support.mixed()
    process.load(support.dump(model, tmp_path))
    answers = process.call([], "predict", frame)
    np.testing.assert_array_equal(answers, model.predict(frame))


def test_an_error_has_its_kind_and_message(process: Remote, tmp_path: Path):
    """Of a built-in exception; one of a library is the built-in one that it derives from."""
    process.load(support.dump(LinearRegression().fit(X, X[:, 0]), tmp_path))
    with pytest.raises(ValueError, match=r"^X has 2 features, but LinearRegression"):
        process.call([], "predict", X[:, :2])
    process.load(support.dump(LinearRegression(), tmp_path))
    with pytest.raises(ValueError, match=r"^NotFittedError: This LinearRegression"):
        process.call([], "predict", X)


def test_a_model_in_a_dict_is_reached_by_its_key(process: Remote, tmp_path: Path):
    """The file holds the dict."""
    model = LinearRegression().fit(X, X[:, 0])
    process.load(support.dump({"model": model, "version": "3"}, tmp_path))
    place = [["item", "model", None]]
    np.testing.assert_array_equal(process.call(place, "predict", X), model.predict(X))


def test_the_versions_there_are_known(process: Remote):
    """Python's and those of packages."""
    versions = process.versions()
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions["numpy"] == np.__version__


def test_what_the_model_prints_is_not_taken_for_an_answer(process: Remote, tmp_path: Path):
    """Old libraries greet their users."""
    code = "import sys; print('hello'); sys.stdout.flush()"
    (tmp_path / "model.pkl").write_bytes(b"c__builtin__\nexec\n(V" + code.encode() + b"\ntR.")
    process.load(tmp_path / "model.pkl")
    assert process.methods([]) == []


def test_a_process_that_dies_leaves_a_sentence(tmp_path: Path):
    """With the last line that it wrote."""
    code = "import os, sys; print('out of luck', file=sys.stderr); sys.stderr.flush(); os._exit(1)"
    (tmp_path / "model.pkl").write_bytes(b"c__builtin__\nexec\n(V" + code.encode() + b"\ntR.")
    with (
        remote(PYTHON) as process,
        pytest.raises(StartupError, match=r"environment ended \(out of luck\); .*--requirements"),
    ):
        process.load(tmp_path / "model.pkl")


def test_texts_come_as_a_list(process: Remote, tmp_path: Path):
    """As a vectorizer takes them."""
    model, frame = support.texts()
    process.load(support.dump(model, tmp_path))
    rows = frame["text"].tolist()
    np.testing.assert_array_equal(process.call([], "predict", rows), model.predict(rows))
