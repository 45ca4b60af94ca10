"""A packaged model of mixed columns is compiled, and answers as its estimator does."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import mixed_models
import support
from azureml_scoring.errors import ClientError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.golden_check import NO_LIMITS
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.parity import TOLERANCE
from validation import validate


def from_(path: Path, **options: object) -> Model:
    return load(Settings(scoring_model_path=path, **options))


@pytest.fixture(scope="module")
def passengers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, pd.DataFrame, Path]:
    estimator, frame = mixed_models.logistic()
    return estimator, frame, support.packaged(estimator, frame, tmp_path_factory.mktemp("mixed"))


def asked(frame: pd.DataFrame, model: Model, method: str) -> Batch:
    """Rows as a request brings them."""
    rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    body = orjson.dumps({"data": rows, "method": method})
    return validate(body, model.contract, NO_LIMITS)


def strange(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame's rows, with cities and decks that the fit did not have, and other numbers."""
    rng = np.random.default_rng(1)
    odd = frame.assign(
        city=rng.choice(["Rome", "rome", "", "Zürich ", "北京", "x" * 3_000], len(frame)),
        age=frame["age"] * -3.5,
    )
    return odd.assign(siblings=rng.integers(-9, 99, len(frame)))


@pytest.mark.parametrize("change", [lambda frame: frame, strange], ids=["known", "strange"])
def test_it_answers_two_hundred_rows_as_the_estimator(passengers: Any, change: Any):
    """Each method, for rows together and for one alone."""
    estimator, frame, folder = passengers
    model, rows = from_(folder), change(frame).head(200)
    assert model.backend == "onnx"
    assert Manifest.read(folder).onnx.numpy  # type: ignore[union-attr]
    for method in model.contract.methods:
        batch = asked(rows, model, method)
        expected = getattr(estimator, method)(rows)
        np.testing.assert_allclose(model.predict(batch), expected, rtol=TOLERANCE, atol=TOLERANCE)
        (alone,) = model.predict(batch._replace(X=batch.X[7:8]))
        np.testing.assert_allclose(alone, expected[7], rtol=TOLERANCE, atol=TOLERANCE)


def test_it_is_quick_and_rows_of_several_requests_are_joined(passengers: Any):
    """It runs on the event loop; joined rows get the answers that they get alone."""
    _, frame, folder = passengers
    model = from_(folder, scoring_estimator="start")  # which answers small probabilities
    batch = asked(strange(frame).head(9), model, "predict_proba")
    assert model.quick
    assert model.each
    for method in model.contract.methods:
        assert model.quick(batch._replace(method=method))
        alone = [Batch(batch.X[k : k + 1], method) for k in range(9)]
        inline = [(quick, one) for one in alone if (quick := model.quick(one))]
        assert model.each(inline) == [model.predict(one) for _, one in inline]
        assert len(inline) > 1


def test_an_unknown_value_that_the_estimator_refuses_is_refused(tmp_path: Path):
    """The message names its column; known ones are the compiled model's."""
    frame, target = mixed_models.passengers(150)
    frame = frame[["siblings", "city"]]
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    estimator = make_pipeline(encoder, LogisticRegression()).fit(frame, target)
    model = from_(support.packaged(estimator, frame, tmp_path))
    batch = asked(frame.head(2), model, "predict")
    assert model.backend == "onnx"
    assert model.quick
    assert model.quick(batch)
    assert model.predict(batch) == estimator.predict(frame.head(2)).tolist()
    with pytest.raises(ClientError, match="Feature city must be one of the 4 values of the fit"):
        asked(frame.head(2).assign(city="rome"), model, "predict")


def test_boosting_on_twenty_columns_answers_as_the_estimator(tmp_path: Path):
    """Ordinal codes of texts, numbers with gaps, whole numbers and booleans."""
    estimator, frame = mixed_models.boosting(trees=5)
    model = from_(support.packaged(estimator, frame, tmp_path))
    assert model.backend == "onnx"
    for method in model.contract.methods:
        given = model.predict(asked(frame.head(200), model, method))
        expected = getattr(estimator, method)(frame.head(200))
        np.testing.assert_allclose(given, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.fixture
def copy(passengers: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(passengers[2], tmp_path / "artifact"))


def test_tables_that_were_not_packaged_are_not_used(copy: Path):
    """Whatever lies there in their place; SCORING_BACKEND=sklearn does without."""
    file = copy / "tables.json"
    file.write_bytes(file.read_bytes().replace(b'"Rome"', b'"rome"'))
    with pytest.raises(StartupError, match=r"tables\.json is not the file that was packaged"):
        from_(copy)
    assert from_(copy, scoring_backend="sklearn").backend == "sklearn"
    file.unlink()
    with pytest.raises(StartupError, match="can't be read"):
        from_(copy)


def test_tables_outside_the_folder_are_not_read(copy: Path):
    """A manifest can't lead to other files."""
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["onnx"]["tables"] = "../tables.json"
    path.write_text(json.dumps(manifest))
    with pytest.raises(StartupError, match="does not lie in that folder"):
        from_(copy)


def test_numbers_of_fewer_digits_are_those_of_the_fit(tmp_path: Path):
    """A column of float32 holds 0.1 as another number than JSON; an encoder finds it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "city": rng.choice(["Rome", "Oslo"], 200),
            "rate": rng.choice([0.1, 0.2, 0.3], 200).astype(np.float32),
        }
    )
    front = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city", "rate"]))
    estimator = make_pipeline(front, Ridge()).fit(frame, frame["rate"] * 10)
    model = from_(support.packaged(estimator, frame, tmp_path))
    batch = validate(orjson.dumps({"data": [["Rome", 0.1]]}), model.contract, NO_LIMITS)
    assert model.backend == "onnx"
    first = frame[(frame["city"] == "Rome") & (frame["rate"] < 0.15)].head(1)
    np.testing.assert_allclose(model.predict(batch), estimator.predict(first))
