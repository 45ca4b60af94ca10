from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import support
from mlops.blame import sample_failure
from mlops.cli import main

ROWS = "give rows like those of its fit"
DAYS = pd.DataFrame(
    {
        "the day": pd.to_datetime(["2025-11-09", "2025-11-10", "2025-12-24"] * 5),
        "n": [1.0, 2.0, 3.0] * 5,
    }
)


def month(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{"the day": frame["the day"].dt.month})


class Unfitted(LinearRegression):
    n_features_in_ = 1


@pytest.mark.parametrize(
    ("error", "rows", "model"),
    [
        (ValueError("could not convert string to float"), True, True),
        (AttributeError("'float' object has no attribute 'lower'"), True, True),
        (SystemExit(1), False, True),
        (RuntimeError("no GPU"), False, True),
        (MemoryError(), False, True),
    ],
)
def test_rows_are_to_blame_only_where_they_may_be(error: BaseException, rows: bool, model: bool):
    """A model that ends the process or lacks a device fails on any."""
    said = str(sample_failure("predict", error, pd.DataFrame({"a": [1.0]})))
    assert (ROWS in said, "fix the model" in said) == (rows, model)


def package(tmp_path: Path, estimator: Any, sample: Path, *options: str) -> str:
    file = support.dump(estimator, tmp_path)
    words = ["package", file, "--sample", sample, "--out", tmp_path / "out", *options]
    return " ".join(CliRunner().invoke(main, [str(word) for word in words]).output.split())


def test_a_model_that_is_not_fitted_is_told_so(tmp_path: Path):
    """No rows would help."""
    (tmp_path / "rows.csv").write_text("a\n1.5\n2.5\n")
    said = package(tmp_path, Unfitted(), tmp_path / "rows.csv")
    assert "it is not fitted: call its fit() and save it again" in said
    assert ROWS not in said


class Codes(LinearRegression):
    """Was fitted on pandas' categories, and does not say so."""

    def predict(self, frame: pd.DataFrame) -> Any:
        return frame.iloc[:, 0].cat.codes


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_texts_that_may_be_categories_are_named_with_the_option(tmp_path: Path, kind: str):
    """Which works for each file that has no type for them."""
    file = tmp_path / f"rows.{kind}"
    texts = pd.DataFrame({"the size": ["S", "M", "L"] * 5})
    if kind == "csv":
        texts.to_csv(file, index=False)
    else:
        texts.to_json(file, orient="records", lines=kind == "jsonl")
    said = package(tmp_path, Codes(), file)
    assert "if it was fitted on pandas' categories in the size, add" in said
    assert "add --dtype 'the size=category'" in said
    said = package(tmp_path, Codes(), file, "--dtype", "the size=category")
    assert "Packaged" in said


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_dates_that_are_read_as_texts_are_dates_again(tmp_path: Path, kind: str):
    """Where the model fails on texts; the option says it too."""
    file = tmp_path / f"rows.{kind}"
    texts = DAYS.assign(**{"the day": DAYS["the day"].dt.strftime("%Y-%m-%d")})
    if kind == "csv":
        texts.to_csv(file, index=False)
    else:
        texts.to_json(file, orient="records", lines=kind == "jsonl")
    estimator = make_pipeline(FunctionTransformer(month), LinearRegression()).fit(DAYS, DAYS["n"])
    said = package(tmp_path, estimator, file)
    assert "the day: read as dates or times, since the model fails on texts there" in said
    assert "Packaged" in said
    said = package(tmp_path, estimator, file, "--dtype", "the day=datetime", "--force")
    assert "Packaged" in said
