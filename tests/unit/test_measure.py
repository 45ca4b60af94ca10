from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import golden
from mlops import probe
from mlops.measure import measure as measured

WIDE = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 300)), columns=[f"f{j}" for j in range(300)])


def silent(line: str) -> None:
    pass


def imputing(columns: list[str]) -> Any:
    """A model that takes missing values in these columns of the wide sample."""
    transformer = make_column_transformer((SimpleImputer(), columns), remainder="passthrough")
    return make_pipeline(transformer, LinearRegression()).fit(WIDE, WIDE["f0"])


@pytest.mark.parametrize("taken", [0, 7, 150, 300])
def test_each_of_many_features_is_tried_without_a_value(taken: int):
    """Whether none takes missing values, some or all do."""
    columns = list(WIDE.columns[300 - taken :])
    model = imputing(columns) if taken else LinearRegression().fit(WIDE, WIDE["f0"])
    features = measured(model, WIDE, silent).contract.features
    assert [feature.name for feature in features if feature.missing] == columns


def test_a_wide_sample_is_read_a_few_times_not_once_a_feature(monkeypatch: pytest.MonkeyPatch):
    """That took two minutes for 1,500 features."""
    asked: list[int] = []
    read = golden.batch

    def counting(rows: Any, contract: Any) -> Any:
        asked.append(len(rows))
        return read(rows, contract)

    monkeypatch.setattr(golden, "batch", counting)
    measured(LinearRegression().fit(WIDE, WIDE["f0"]), WIDE, silent)
    assert len(asked) < 20


def test_how_long_it_takes_is_told(monkeypatch: pytest.MonkeyPatch):
    """Where it is worth it."""
    told: list[str] = []
    monkeypatch.setattr(probe, "WORTH_TELLING", 0.0)
    measured(LinearRegression().fit(WIDE, WIDE["f0"]), WIDE, told.append)
    [first, second] = [line for line in told if "without a value" in line]
    assert first.startswith("  tried 100 of 300 features without a value, about ")
    assert second.startswith("  tried 200 of 300 features")
