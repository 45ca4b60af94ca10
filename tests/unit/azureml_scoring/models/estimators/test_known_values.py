"""An encoder takes the values that it was fitted on, and none that only look alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

import support
from azureml_scoring.errors import ClientError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from validation import validate


def served(estimator: Any, folder: Path) -> Model:
    return load(Settings(scoring_model_path=support.dump(estimator, folder)))


def dtypes(loaded: Model) -> list[str]:
    return [feature.dtype for feature in loaded.contract.features]


def refused(loaded: Model, *row: object) -> str:
    """The code of the error and the place, for one row by position."""
    with pytest.raises(ClientError) as caught:
        validate(orjson.dumps({"data": [row]}), loaded.contract, golden_check.NO_LIMITS)
    return f"{caught.value.code} {caught.value.location}"


def refused_rows(loaded: Model, rows: list[list[Any]]) -> str:
    """The code of the error, wherever it is raised."""
    with pytest.raises(ClientError) as caught:
        loaded.predict(
            validate(orjson.dumps({"data": rows}), loaded.contract, golden_check.NO_LIMITS)
        )
    return caught.value.code


@pytest.mark.parametrize("values", [["1", "2"], [True, False], [7, 8], [0.5, 1.5]], ids=str)
def test_an_encoder_alone_takes_what_it_knows(values: list[object], tmp_path: Path):
    """It takes no value that only looks alike."""
    frame = pd.DataFrame({"a": values * 10, "b": ["x", "y"] * 10})
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, [0, 1] * 10)
    loaded = served(estimator, tmp_path)
    assert loaded.predict(
        golden_check.batch_of([[values[0], "x"], [values[1], "y"]], loaded.contract)
    ) == [0, 1]
    assert (
        refused(loaded, "1" if not isinstance(values[0], str) else 1, "x") == "wrong_type /data/0/0"
    )


IGNORING = [
    OneHotEncoder(handle_unknown="ignore"),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2),
    TargetEncoder(cv=2),
]
"""They answer whatever they do not know."""


@pytest.mark.slow
@pytest.mark.parametrize("encoder", IGNORING, ids=lambda encoder: type(encoder).__name__)
@pytest.mark.parametrize("form", ["frame", "array", "objects"])
def test_a_text_for_a_code_is_refused_and_a_code_for_a_text(
    encoder: Any, form: str, tmp_path: Path
):
    """An encoder alone that would answer unknown values refuses them too, whatever other rows the
    request has."""
    for name, (known, other) in {"codes": ([3, 5], "3"), "texts": (["3", "5"], 3)}.items():
        frame = pd.DataFrame({"a": known * 10})
        data = {"frame": frame, "array": frame.to_numpy(), "objects": frame.to_numpy(dtype=object)}[
            form
        ]
        estimator = make_pipeline(clone(encoder), LogisticRegression()).fit(data, [0, 1] * 10)
        loaded = served(estimator, tmp_path / name)
        assert loaded.predict(golden_check.batch_of([[known[0]], [known[1]]], loaded.contract)) == [
            0,
            1,
        ]
        for rows in ([[other]], [[known[0]], [other]], [[other], [known[0]]]):
            assert refused_rows(loaded, rows) == "wrong_type"


def test_codes_and_texts_of_one_array_of_objects_are_served(tmp_path: Path):
    """The codes are Python objects, because an encoder compares those."""
    X = np.array([[3, "a", 1.5], [5, "b", 2.5]] * 10, dtype=object)
    columns = make_column_transformer((OrdinalEncoder(), [0, 1]), (StandardScaler(), [2]))
    for place, first in enumerate(
        [OrdinalEncoder(), OneHotEncoder(handle_unknown="ignore"), columns]
    ):
        estimator = make_pipeline(first, LogisticRegression()).fit(X, [0, 1] * 10)
        loaded = served(estimator, tmp_path / str(place))
        assert dtypes(loaded) == ["float64", "str", "float64"]
        assert loaded.predict(
            golden_check.batch_of([[3, "a", 1.5], [5.0, "b", 2.5]], loaded.contract)
        ) == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("missing", [None, np.nan], ids=str)
@pytest.mark.parametrize("known", [["a", "b"], [3, 5], [True, False]], ids=str)
@pytest.mark.parametrize("named", [True, False])
def test_null_is_the_missing_value_of_the_fit(
    missing: Any, known: list[Any], named: bool, tmp_path: Path
):
    """An encoder keeps None and NaN apart, and would answer the other one as unknown."""
    values = np.array([[known[0]], [missing], [known[1]]] * 5, dtype=object)
    data = pd.DataFrame({"a": pd.Series(values[:, 0], dtype=object)}) if named else values
    estimator = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=99))
    loaded = served(estimator.fit(data, [0, 1, 0] * 5), tmp_path)
    for rows, answers in (([[known[0]], [None], [known[1]]], [0, 1, 0]), ([[None]], [1])):
        assert loaded.predict(golden_check.batch_of(rows, loaded.contract)) == answers


def test_whole_numbers_beyond_a_float_stay_exact(tmp_path: Path):
    """Ids need it: two of them must not become one."""
    ids = [2**60, 2**60 + 1]
    frame = pd.DataFrame({"id": ids * 10, "b": ["x", "y"] * 10})
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, [0, 1] * 10)
    loaded = served(estimator, tmp_path)
    assert loaded.predict(
        golden_check.batch_of([[ids[0], "x"], [ids[1], "y"]], loaded.contract)
    ) == [
        0,
        1,
    ]


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("encoder", IGNORING, ids=lambda encoder: type(encoder).__name__)
def test_no_row_is_answered_in_company_that_is_refused_alone(encoder: Any, tmp_path: Path):
    """Rows are joined only with rows of the same types if a column's dtype is not known."""
    frame = pd.DataFrame({"a": ["x", "y"] * 10, "b": [1, 2] * 10})
    columns = make_column_transformer(
        (make_pipeline(FunctionTransformer(same), clone(encoder)), ["a"])
    )
    columns.remainder = "passthrough"
    loaded = served(make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10), tmp_path)
    assert dtypes(loaded) == ["any", "any"]
    rows: list[list[Any]] = [["y", 2], [3, 1], ["x", 1], [True, 1], [0.5, 2], ["y", 1.5]]
    alone = [outcome(loaded, [row]) for row in rows]
    for one, first in zip(rows, alone, strict=True):
        for other, second in zip(rows, alone, strict=True):
            refused = [code for code in (first, second) if isinstance(code, str)]
            assert outcome(loaded, [one, other]) == (refused[0] if refused else first + second)
    fine = [row for row, code in zip(rows, alone, strict=True) if not isinstance(code, str)]
    assert outcome(loaded, fine) == [outcome(loaded, [row])[0] for row in fine]


def outcome(loaded: Model, rows: list[list[Any]]) -> Any:
    """Predictions, or the code of the error."""
    try:
        return loaded.predict(golden_check.batch_of(rows, loaded.contract))
    except ClientError as error:
        return error.code
