"""A signature's types hold where no encoder knows better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import support
from azureml_scoring.errors import ClientError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops import sample_file
from mlops.package import package
from validation import validate


def dtypes(loaded: Model) -> list[str]:
    return [feature.dtype for feature in loaded.contract.features]


def refused(loaded: Model, *row: object) -> str:
    """The code of the error and the place, for one row by position."""
    with pytest.raises(ClientError) as caught:
        validate(orjson.dumps({"data": [row]}), loaded.contract, golden_check.NO_LIMITS)
    return f"{caught.value.code} {caught.value.location}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "signed", "wrong"),
    [
        ([True, False], "string", "True"),
        ([3, 5], "string", "3"),
        ([0.5, 1.5], "string", "0.5"),
        (["3", "5"], "long", 3),
        (["True", "False"], "boolean", True),
        ([3, 5], "any", "3"),
        (pd.Categorical([3, 5] * 10), "string", "3"),
    ],
    ids=str,
)
@pytest.mark.parametrize("named", [True, False])
def test_an_encoder_knows_better_than_a_signature(
    values: Any, signed: str, wrong: object, named: bool, tmp_path: Path
):
    """Values of another type than those of the fit would all be unknown, and answered all the
    same."""
    frame = pd.DataFrame({"a": values if len(values) == 20 else values * 10, "b": [1.0, 2.0] * 10})
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [0]), remainder="passthrough"
    )
    estimator = make_pipeline(columns, LogisticRegression(C=99)).fit(
        frame if named else frame.to_numpy(), [0, 1] * 10
    )
    loaded = load(
        Settings(
            scoring_model_path=signed_folder(estimator, {"a": signed, "b": "double"}, tmp_path)
        )
    )
    rows = frame.head(2).astype(object).to_numpy().tolist()
    assert loaded.predict(golden_check.batch_of(rows, loaded.contract)) == [0, 1]
    assert refused(loaded, wrong, 1.0) == "wrong_type /data/0/0"


def test_a_signature_stands_where_no_encoder_knows_better(tmp_path: Path):
    """Whole numbers stay whole, and booleans may be what a scaler takes for numbers."""
    frame = pd.DataFrame({"a": [3, 5] * 10, "b": [True, False] * 10})
    columns = make_column_transformer((OneHotEncoder(), ["a"]), (StandardScaler(), ["b"]))
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10)
    folder = signed_folder(estimator, {"a": "long", "b": "boolean"}, tmp_path)
    assert dtypes(load(Settings(scoring_model_path=folder))) == ["int64", "bool"]


def test_an_encoder_knows_better_than_a_signature_how_a_csv_is_read(tmp_path: Path):
    """Packaged codes are numbers, whatever the signature calls them."""
    frame = pd.DataFrame({"a": [3, 5] * 10, "b": ["01", "02"] * 10})
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, [0, 1] * 10)
    folder = signed_folder(estimator, {"a": "string", "b": "long"}, tmp_path / "mlflow")
    frame.to_csv(tmp_path / "sample.csv", index=False)
    package(folder, sample_file.load(tmp_path / "sample.csv"), tmp_path / "packaged")
    loaded = load(Settings(scoring_model_path=tmp_path / "packaged"))
    assert loaded.predict(golden_check.batch_of([[3, "01"], [5, "02"]], loaded.contract)) == [0, 1]
    assert refused(loaded, "3", "01") == "wrong_type /data/0/0"


def signed_folder(estimator: Any, types: dict[str, str], folder: Path) -> Path:
    """An MLflow folder whose signature has these types by name."""
    support.dump(estimator, folder)
    inputs = json.dumps(
        [{"type": kind, "name": name, "required": True} for name, kind in types.items()]
    )
    flavors = {"sklearn": {"pickled_model": "model.joblib"}}
    (folder / "MLmodel").write_text(
        json.dumps({"flavors": flavors, "signature": {"inputs": inputs}})
    )
    return folder
