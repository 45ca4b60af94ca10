from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

import support
from azureml_scoring.models.files.manifest import Manifest
from mlops.exit_status import ExitStatus
from package_command import dtypes, package, run

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_a_csv_is_read_as_the_model_was_fitted(tmp_path: Path):
    """Digits, NA, postcodes and yes stay the texts that the encoders know; and it says what was
    read as what."""
    estimator, frame = support.codes()
    result = package(tmp_path, estimator, frame.assign(target=1))
    assert result.exit_code == 0, result.output
    assert dtypes(tmp_path) == {
        "postcode": "str", "region": "str", "grade": "str", "agreed": "str", "income": "float64",
        "insured": "bool",
    }  # fmt: skip
    for line in (
        f"Read {tmp_path / 'train.csv'}: 40 rows\n",
        "  numbers: income, target\n",
        "  texts: postcode, region, grade, agreed\n",
        "  true or false: insured\n",
    ):
        assert line in result.output
    assert "note: NA" not in result.output  # the encoder knows it


class AsTexts(ClassifierMixin, BaseEstimator):
    """Asks whether a column holds texts, and says nothing of it."""

    def fit(self, X: pd.DataFrame, y: object = None) -> AsTexts:
        return self

    def predict(self, X: pd.DataFrame) -> list[bool]:
        return [isinstance(value, str) for value in X["grade"]]


def test_a_signature_tells_what_the_estimator_does_not(tmp_path: Path):
    """Digits are texts if an MLflow folder's signature says string."""
    support.dump(AsTexts().fit(None), tmp_path / "mlflow", "model.pkl")
    inputs = (
        '[{"type": "string", "name": "grade", "required": false}, {"type": "double", "name": "x"}]'
    )
    (tmp_path / "mlflow" / "MLmodel").write_text(
        f"flavors: {{sklearn: {{pickled_model: model.pkl}}}}\nsignature:\n  inputs: '{inputs}'\n"
    )
    (tmp_path / "train.csv").write_text("grade,x\n1,NA\n2,3\n")
    result = run(
        "package",
        tmp_path / "mlflow",
        "--sample",
        tmp_path / "train.csv",
        "--out",
        tmp_path / "out",
    )
    assert result.exit_code == 0, result.output
    assert dtypes(tmp_path) == {"grade": "str", "x": "float64"}
    assert Manifest.read(tmp_path / "out").golden_answers["predict"] == [True] * 8


def test_codes_that_could_be_numbers_are_told(tmp_path: Path):
    """Unless an encoder knows them: a model on numbers has an option then."""
    frame = pd.DataFrame({"code": [1, 2] * 10, "x": [0.0, 1.0] * 10})
    columns = make_column_transformer(("passthrough", ["code", "x"]))
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10)
    rows = "code,x\n001,0\n002,1\n"
    assert (
        "note: code is text: its numbers have leading zeros"
        in package(tmp_path, estimator, rows).output
    )
    result = package(tmp_path, estimator, rows, "--dtype", "code=float64")
    assert (result.exit_code, "note: code" in result.output) == (0, False)


def test_dates_that_are_read_as_text_are_told(tmp_path: Path):
    """The model may have been fitted on datetimes there; only its author knows."""
    frame = pd.DataFrame(
        {"day": pd.date_range("2024-01-01", periods=20).astype(str), "x": [0.0, 1.0] * 10}
    )
    columns = make_column_transformer(
        (FunctionTransformer(lengths), ["day"]), ("passthrough", ["x"])
    )
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10)
    rows = frame.to_csv(index=False)
    note = "note: day is text: if the model was fitted on datetimes there, add --dtype day=datetime"
    assert note in package(tmp_path, estimator, rows).output
    assert "note: day" not in package(tmp_path, estimator, rows, "--text", "day").output


def lengths(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.map(len)


def test_many_columns_take_a_line_a_kind(tmp_path: Path):
    """There is no line for each column."""
    frame = pd.DataFrame(np.eye(60), columns=[f"x{place}" for place in range(60)])
    result = package(tmp_path, LogisticRegression().fit(frame, [0, 1] * 30), frame)
    assert "  numbers: x0, x1, x2, x3, x4, x5, x6, x7 and 52 more\n" in result.output
    names = [f"x{place}" for place in range(60)]
    result = package(tmp_path, own(), "\n".join(",".join(row) for row in (names, ["NA"] * 60)))
    assert (
        result.output.count("holds NA"),
        "note: 52 more columns are like these" in result.output,
    ) == (8, True)


def own() -> object:
    """Return a model that says nothing of its columns."""
    from scripted import Scripted

    return Scripted()


def test_words_that_may_stand_for_nothing_are_told(tmp_path: Path):
    """A note names the line and what to do if they keep a column from being numbers."""
    encoder = OneHotEncoder(handle_unknown="ignore")
    frame = pd.DataFrame({"city": ["Rome", "Oslo"] * 10})
    rows = [*(["1,Rome", "2,Oslo"] * 10), "NA,NA", "?,null"]
    columns = make_column_transformer((encoder, ["city"]))
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10)
    result = package(tmp_path, estimator, "\n".join(["age,city", *rows[:-1]]))
    assert (
        "note: age is text for 1 cells that are not numbers, the first in line 22; leave them empty"
        in result.output
    )
    assert "or add --dtype age=float64" in result.output
    assert "note: city holds NA, which is read as text; leave those cells empty" in result.output
    result = package(tmp_path, estimator, "\n".join(["age,city", *rows]))
    assert "note: age is text for 2 cells" in result.output
    assert "--dtype age=float64" not in result.output  # it would be refused
    assert "note: city holds NA, null, which is read as text" in result.output


def test_what_the_user_tells_comes_first(tmp_path: Path):
    """It comes before what the encoders say, too."""
    frame = pd.DataFrame({"a": ["1", "2"] * 10, "b": [1, 2] * 10})
    estimator = make_pipeline(OrdinalEncoder(), LogisticRegression()).fit(frame, [0, 1] * 10)
    assert "numbers: b\n  texts: a\n" in package(tmp_path, estimator, frame).output
    told = ("--text", "b", "--dtype", "a=int64")
    assert "numbers: a\n  texts: b\n" in package(tmp_path, estimator, frame, *told).output


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--text", "c"], ExitStatus.UNUSABLE, "--text or --dtype names c, which"),
        (
            ["--dtype", "a=date"],
            2,
            "a=date is not COLUMN=DTYPE with one of float64, int64, str, bool, category",
        ),
        (["--dtype", "a"], 2, "a is not COLUMN=DTYPE"),
        (["--dtype", "a=bool"], ExitStatus.UNUSABLE, "Line 2 of"),
    ],
)
def test_a_wrong_option_is_told(tmp_path: Path, options: list[str], code: int, message: str):
    """The error is one sentence."""
    result = package(tmp_path, own(), "a\n7.5\n", *options)
    assert (result.exit_code, "Traceback" in result.output) == (code, False)
    assert message in " ".join(result.output.split())


def test_a_row_with_a_value_too_many_is_refused_by_its_line(tmp_path: Path):
    """It is not read shifted by a column, in a sample, in a comparison or for scoring."""
    X, _ = support.diabetes()
    assert package(tmp_path, support.demo_estimator(), X).exit_code == 0
    lines = (tmp_path / "train.csv").read_text().splitlines()
    (tmp_path / "shifted.csv").write_text(
        "\n".join([lines[0], *(f"7,{line}" for line in lines[1:])])
    )
    said = f"Line 2 of {tmp_path / 'shifted.csv'} has 11 values, the header has 10 names"
    file, shifted = tmp_path / "model.joblib", tmp_path / "shifted.csv"
    for words in (
        ("package", file, "--sample", shifted, "--out", tmp_path / "other"),
        ("drift", tmp_path / "out", shifted),
        ("score", "--url", "http://localhost:1", shifted),
    ):
        result = run(*words)
        assert (result.exit_code, said in result.output) == (ExitStatus.UNUSABLE, True), (
            result.output
        )


def test_columns_without_names_can_be_dropped_and_told(tmp_path: Path):
    """Options name them by place."""
    estimator, frame = support.plain_regression()
    rows = "\n".join(f"{a},{b},9" for a, b in frame.to_numpy().tolist())
    result = package(tmp_path, estimator, rows, "--drop", "2", "--dtype", "1=int64")
    assert result.exit_code == 0, result.output
    assert [feature.name for feature in Manifest.read(tmp_path / "out").contract.features] == [
        None,
        None,
    ]
