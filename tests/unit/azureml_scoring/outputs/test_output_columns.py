from typing import Any

import pytest

from azureml_scoring.outputs.columns import columns_of


@pytest.mark.parametrize(
    ("answers", "columns"),
    [
        ([1, 0], {"prediction": [1, 0]}),
        ([[0.25, 0.75], [1.0, 0.0]], {"prediction_0": (0.25, 1.0), "prediction_1": (0.75, 0.0)}),
        ([{"a": 1, "b": "x"}, {"b": "y"}], {"a": [1, None], "b": ["x", "y"]}),
    ],
)
def test_answers_are_arranged_in_columns(answers: list[Any], columns: dict[str, Any]):
    """One column, one for each place of lists, or one for each key of objects."""
    assert columns_of(answers) == columns


@pytest.mark.parametrize(
    ("answers", "values"),
    [
        ([[1], [1, 2]], ["[1]", "[1,2]"]),
        ([{"a": 1}, None], ['{"a":1}', None]),
        ([[], []], ["[]", "[]"]),
        ([{}], ["{}"]),
        (["a", 1, True], ["a", "1", "true"]),
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([2**63, None], ["9223372036854775808", None]),
        ([None], [None]),
    ],
)
def test_a_column_has_one_type(answers: list[Any], values: list[Any]):
    """Whole numbers among floats are floats; what no column holds is a text of JSON."""
    assert columns_of(answers) == {"prediction": values}


def test_nested_answers_are_texts_of_json():
    """As of a classifier with several targets."""
    assert columns_of([[[0.5, 0.5], [1.0]]]) == {
        "prediction_0": ["[0.5,0.5]"], "prediction_1": ["[1.0]"],
    }  # fmt: skip
