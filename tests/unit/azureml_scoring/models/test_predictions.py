import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from azureml_scoring.errors import ModelFailed
from azureml_scoring.models.predictions import non_finite, per_row, to_json


@pytest.mark.parametrize(
    ("output", "answers"),
    [
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.5, 2.5]]), [[1.5, 2.5]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([True]), [True]),
        (
            [np.array([[0.1, 0.9], [0.2, 0.8]]), np.array([[1.0], [1.0]])],
            [[[0.1, 0.9], [1.0]], [[0.2, 0.8], [1.0]]],
        ),
        (pd.Series([1, 2]), [1, 2]),
        (pd.DataFrame({"a": [1.0], "b": [2.0]}), [[1.0, 2.0]]),
        ([3, 4], [3, 4]),
        (["a", 1, None, True, np.int64(2)], ["a", 1, None, True, 2]),
        ([["a"], ["a", "b"], (np.float32(0.5),)], [["a"], ["a", "b"], [0.5]]),
        ([{"label": "a"}], [{"label": "a"}]),
        ([np.float64(1.5), np.array(2.5)], [1.5, 2.5]),
    ],
)
def test_outputs_of_all_kinds_become_a_list_with_an_entry_a_row(output: object, answers: object):
    """Arrays, several targets, frames and lists."""
    assert per_row(output) == answers


@pytest.mark.parametrize(
    "output", ["a", "ab", b"a", None, 3.5, np.float64(1), {"a": 1}, {1}, iter([1]), np.array(1)]
)
def test_what_is_not_an_answer_a_row_is_the_models_failure(output: object):
    """A text with one character per row is not a list of answers, nor is a dict."""
    with pytest.raises(
        ModelFailed, match=f"answered with a {type(output).__name__} in place of one answer a row"
    ):
        per_row(output)


def test_sparse_outputs_become_rows():
    """Encoders and multi-label classifiers return sparse matrices."""
    assert per_row(OneHotEncoder().fit_transform([["a"], ["b"]])) == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("answers", "count"),
    [
        ([1.0, [2.0, 3]], 0),
        ([[np.nan, np.inf]], 2),
        ([np.float32("nan"), -np.inf], 2),
        (["x", None, True], 0),
        ([{"a": np.nan}], 1),
    ],
)
def test_nan_and_infinity_are_found_at_any_depth(answers: object, count: int):
    """They never become invalid JSON."""
    assert non_finite(answers) == count


def test_predictions_become_json():
    """This includes numpy's scalars inside object arrays; NaN becomes null."""
    assert orjson.loads(to_json([1, "x", None, [np.float64(0.5), np.int64(3)], np.nan])) == [
        1,
        "x",
        None,
        [0.5, 3],
        None,
    ]


def test_what_json_has_not_is_the_models_failure():
    """The answer is an error, not invalid JSON."""
    with pytest.raises(ModelFailed):
        to_json([object()])
