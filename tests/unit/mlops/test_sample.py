from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from mlops.sample import features_of, read, rows_of


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (pd.Series([1.5], dtype="float32"), "float32"),
        (pd.Series([1, None], dtype="Int64"), "int64"),
        (pd.Series([True]), "bool"),
        (pd.Series([True, None], dtype="boolean"), "bool"),
        (pd.Series(["a", None]), "str"),
        (pd.Series(["a", None], dtype=object), "str"),
        (pd.Series(["a", 1], dtype=object), "any"),
        (pd.Series(["a"], dtype="category"), "category"),
    ],
)
def test_each_dtype_has_a_feature(column: pd.Series, dtype: str):
    """pandas' own and its nullable ones."""
    assert features_of(pd.DataFrame({"c": column}))[0].dtype == dtype


def test_rows_are_plain_values_with_null_for_what_is_missing():
    """They are like those of a request. The service refuses lists, which Parquet may hold."""
    frame = pd.DataFrame(
        {"a": [1.5, np.nan], "b": ["x", None], "c": pd.Series([1, None], dtype="Int64")}
    )
    assert rows_of(frame.assign(d=[np.array([1, 2]), None])) == [
        [1.5, "x", 1, [1, 2]],
        [None, None, None, None],
    ]


def test_json_has_datetimes_and_categories_where_the_user_tells(tmp_path: Path):
    """It has no types for them; what is missing stays missing."""
    (tmp_path / "s.json").write_text('[{"day": "2025-11-09", "k": "07"}, {"day": null, "k": null}]')
    frame = read(
        tmp_path / "s.json",
        user_types={"day": Feature("day", "datetime"), "k": Feature("k", "category")},
    )
    assert [feature.dtype for feature in features_of(frame)] == ["datetime", "category"]
    assert rows_of(frame) == [["2025-11-09T00:00:00", "07"], [None, None]]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Feature("k", "datetime"), "Row 2 of the sample: column k must be a date or time"),
        (Feature("other", "category"), "--dtype names other, which the sample lacks; it has k"),
        (Feature("k", "float64"), "Row 1 of the sample: column k must be a number"),
    ],
)
def test_what_json_can_not_be_told_is_refused(tmp_path: Path, told: Feature, said: str):
    """The error is one sentence."""
    (tmp_path / "s.json").write_text('[{"k": "2025-11-09"}, {"k": "9.11."}]')
    with pytest.raises(StartupError, match=said):
        read(tmp_path / "s.json", user_types={str(told.name): told})
