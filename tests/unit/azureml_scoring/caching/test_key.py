import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import support
from azureml_scoring.caching.key import KeyMaker
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, CATEGORY, Feature
from azureml_scoring.inputs.limits import Limits
from validation import validate

MODEL = support.model()
MIXED = Contract(
    (
        Feature("age", "float64", missing=True),
        Feature("visits", "int64"),
        Feature("city", "str", missing=True),
        Feature("size", CATEGORY, categories=(1, 2, 3)),
        Feature("member", "bool"),
        Feature("other", ANY),
    ),
    ("predict",),
)
NUMBER = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=5)
MIXED_ROW = st.tuples(
    st.none() | NUMBER,
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
    st.sampled_from([1, 2, 3]),
    st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=5) | st.booleans(),
)


def key(document: Any, contract: Contract = support.NUMBERS, **changes: Any) -> bytes:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return KeyMaker(support.model(contract, **changes), "prefix").of_batch(
        validate(body, contract, Limits())
    )


def of(X: np.ndarray, method: str = "predict") -> bytes:
    return KeyMaker(MODEL, "prefix").of_batch(Batch(X, method))


@given(ROWS, st.sampled_from(["data", "input_data"]), st.integers(0, 3))
def test_the_form_of_the_json_does_not_matter(
    rows: list[tuple[float, float]], name: str, indent: int
):
    """White space, the order of keys, the name of the field and an explicit default method change
    nothing."""
    plain = key({"data": rows})
    assert key(json.dumps({"method": "predict", name: rows}, indent=indent).encode()) == plain
    assert (
        key(json.dumps({name: rows, "method": "predict"}, separators=(" ,", ": ")).encode())
        == plain
    )


@given(ROWS)
def test_whole_numbers_are_equal_as_integers_and_floats_and_minus_zero_is_zero(
    rows: list[tuple[float, float]],
):
    """1 is 1.0, -0.0 is 0.0 is 0."""
    floats = [[float(value) for value in row] for row in rows]
    assert key({"data": rows}) == key({"data": floats})
    without_minus = [[0 if value == 0 else value for value in row] for row in floats]
    with_minus = [[-0.0 if value == 0 else value for value in row] for row in floats]
    assert key({"data": without_minus}) == key({"data": with_minus})


@given(st.lists(MIXED_ROW, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_named_columns_in_any_order_are_equal_to_rows_in_the_models_order(
    rows: list[Any], shuffle: random.Random
):
    """This also holds for models on texts, categories and booleans, with null for a missing
    value."""
    order = list(range(len(MIXED.features)))
    shuffle.shuffle(order)
    columns = [MIXED.names[j] for j in order]
    named = {"input_data": {"columns": columns, "data": [[row[j] for j in order] for row in rows]}}
    assert key(named, MIXED) == key({"data": rows}, MIXED)


def test_numbers_among_texts_are_equal_as_integers_and_floats():
    """A column that the model takes as a float has one form, and so does a category."""
    assert key({"data": [[1, 2, "x", 3, True, "y"]]}, MIXED) == key(
        {"data": [[1.0, 2.0, "x", 3.0, True, "y"]]}, MIXED
    )
    assert key({"data": [[-0.0, 2, "x", 3, True, "y"]]}, MIXED) == key(
        {"data": [[0, 2, "x", 3, True, "y"]]}, MIXED
    )


@given(ROWS, ROWS)
def test_different_values_have_different_keys(
    first: list[tuple[float, float]], second: list[tuple[float, float]]
):
    """Equal keys mean equal numbers."""
    assert (key({"data": first}) == key({"data": second})) == (
        np.array_equal(np.array(first, float), np.array(second, float))
    )


@given(st.lists(MIXED_ROW, min_size=1, max_size=3), st.lists(MIXED_ROW, min_size=1, max_size=3))
def test_different_mixed_rows_have_different_keys(first: list[Any], second: list[Any]):
    """Null is not an empty text, true is not 1, "1" is not 1."""
    canonical = [
        [None if v is None else float(v) if j == 0 else v for j, v in enumerate(row)]
        for row in first
    ]
    other = [
        [None if v is None else float(v) if j == 0 else v for j, v in enumerate(row)]
        for row in second
    ]
    assert (key({"data": first}, MIXED) == key({"data": second}, MIXED)) == (
        json.dumps(canonical) == json.dumps(other)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": "2"},
        {"digest": "cd" * 32},
        {"runtime": {"numpy": "3"}},
        {"contract": replace(support.NUMBERS, container="frame")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_model_has_other_keys(change: dict[str, Any]):
    """A key depends on the name, the version, the artifact's bytes, the container and the versions
    of what computes it."""
    batch = Batch(np.ones((1, 2)), "predict")
    assert KeyMaker(replace(MODEL, **change), "prefix").of_batch(batch) != KeyMaker(
        MODEL, "prefix"
    ).of_batch(batch)


@given(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4))
def test_no_name_and_version_run_into_each_other(a: str, b: str, c: str, d: str):
    """Model m:1 in version 2 differs from model m in version 1:2."""
    batch = Batch(np.ones((1, 2)), "predict")
    first = KeyMaker(replace(MODEL, name=a, version=b), "prefix").of_batch(batch)
    second = KeyMaker(replace(MODEL, name=c, version=d), "prefix").of_batch(batch)
    assert (first == second) == ((a, b) == (c, d))
    assert first.rsplit(b":", 1)[0].count(b":") == 2


def test_shape_dtype_and_method_are_part_of_the_key():
    """Equal bytes in another shape, of another type or for another method have another key."""
    bits = np.arange(4.0)
    keys = {
        of(bits.reshape(1, 4)),
        of(bits.reshape(4, 1)),
        of(bits.reshape(2, 2)),
        of(bits.view(np.int64).reshape(1, 4)),
        of(bits.reshape(1, 4), "predict_proba"),
        of(bits.astype(np.float32).reshape(1, 4)),
        of(bits.astype(object).reshape(1, 4)),
    }
    assert len(keys) == 7


@given(ROWS, ROWS)
def test_a_row_has_the_same_key_in_each_batch(first: list[Any], second: list[Any]):
    """It differs from the key of a batch of this one row, whose answer is a list."""
    maker = KeyMaker(MODEL, "prefix")
    rows = np.array(first + second, dtype=float)
    alone = [maker.of_rows(Batch(row.reshape(1, 2), "predict"))[0] for row in rows]
    assert maker.of_rows(Batch(rows, "predict")) == alone
    assert maker.of_batch(Batch(rows[:1], "predict")) != alone[0]


def test_a_key_starts_with_what_an_operator_looks_for():
    """Prefix, model and version are readable, so that a version's entries can be found and
    removed."""
    model = replace(MODEL, name="credit risk", version="v1.2")
    assert (
        KeyMaker(model, "prefix")
        .of_batch(Batch(np.ones((1, 2)), "predict"))
        .startswith(b"prefix:credit%20risk:v1.2:")
    )


def test_a_key_is_the_same_in_each_process():
    """Pods share their entries: another value here means another schema."""
    assert of(np.array([[1.5, 2.0]])) == b"prefix:m:1:8W10bY0qB6Z3mC_2iUerwJJJOYN2BKsQLUXk_SOsKOQ="
