"""Values reach the other Python as they are, and nothing is pickled on the way."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from mlops.isolated import wire


def sent(value: Any) -> Any:
    file = io.BytesIO()
    wire.write(file, value)
    file.seek(0)
    return wire.read(file)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "é中",
        [1, 2.5, True, None, ["x"]],
        {"a": [1], 2: "b"},
    ],
    ids=repr,
)
def test_plain_values_arrive(value: object):
    """Lists and dicts may hold others."""
    assert sent(value) == value


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(3, dtype=np.float32),
        np.array([[True, False]]),
        np.array(["a", "é"]),
        np.array(["2020-01-01", "NaT"], dtype="datetime64[ns]"),
        np.zeros((0, 4)),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_arrive_with_dtype_and_shape(array: np.ndarray):
    """Bit by bit."""
    arrived = sent(array)
    assert arrived.dtype == array.dtype
    np.testing.assert_array_equal(arrived, array)


def test_objects_keep_their_types_and_which_value_is_missing():
    """None is not NaN, True is not 1, and 1 is not 1.0."""
    values = np.array([[None, np.nan, True], [1, 1.0, "1"]], dtype=object)
    arrived = sent(values)
    assert arrived.shape == (2, 3)
    assert list(map(type, arrived.ravel())) == list(map(type, values.ravel()))
    assert np.isnan(arrived[0, 1])


def test_a_frame_arrives_with_its_dtypes():
    """Categories in their order, nullable numbers, dates, and texts with gaps."""
    frame = pd.DataFrame(
        {
            "number": [1.5, np.nan, 3.0],
            "whole": np.array([1, 2, 3], dtype="int32"),
            "flag": [True, False, True],
            "text": pd.Series(["a", None, "é"], dtype=object),
            "size": pd.Categorical(["b", None, "a"], categories=["b", "a", "c"], ordered=True),
            "day": pd.to_datetime(["2020-01-01", None, "2021-05-05"]),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "string": pd.array(["x", None, "y"], dtype="string"),
        }
    )
    arrived = sent(frame)
    pd.testing.assert_frame_equal(arrived, frame, check_column_type=False)


def test_texts_of_a_new_pandas_are_objects_elsewhere():
    """An old pandas lacks their dtype; missing ones are NaN, as a CSV gives them."""
    frame = pd.DataFrame({"text": pd.Series(["a", np.nan])})
    arrived = sent(frame)["text"]
    assert arrived.dtype == object
    assert arrived[0] == "a"
    assert isinstance(arrived[1], float)


def test_a_frame_without_names_keeps_its_numbers():
    """Columns 0 and 1, not "0" and "1"."""
    assert list(sent(pd.DataFrame(np.zeros((1, 2)))).columns) == [0, 1]


def test_a_sparse_answer_arrives_dense():
    """As the service would make it."""
    np.testing.assert_array_equal(sent(csr_matrix(np.eye(2))), np.eye(2))


def test_an_object_of_another_class_is_not_sent():
    """It would have to be unpickled."""
    with pytest.raises(TypeError, match="a Secret can't be sent"):
        wire.write(io.BytesIO(), [type("Secret", (), {"__module__": "somewhere"})()])


def test_a_message_that_breaks_off_is_the_end():
    """The other process died while it wrote."""
    file = io.BytesIO()
    wire.write(file, np.arange(10))
    with pytest.raises(EOFError):
        wire.read(io.BytesIO(file.getvalue()[:-1]))
