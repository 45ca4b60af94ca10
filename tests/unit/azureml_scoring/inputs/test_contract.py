import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature

FEATURES = st.builds(
    Feature,
    name=st.none() | st.text(),
    dtype=st.sampled_from(["float64", "int64", "bool", "str", "category", "datetime", "any"]),
    missing=st.booleans(),
    categories=st.lists(st.text() | st.integers() | st.booleans()).map(tuple),
)


@given(st.lists(FEATURES, min_size=1), st.sampled_from(["array", "frame", "list"]))
def test_a_contract_survives_its_json(features: list[Feature], container: str):
    """Serving reads what packaging measured."""
    contract = Contract(tuple(features), ("predict",), container)
    assert (
        TypeAdapter(Contract).validate_json(json.dumps(contract.to_json()), strict=True) == contract
    )


@pytest.mark.parametrize(
    ("dtypes", "missing", "whole"),
    [
        (["float64", "float64"], False, np.float64),
        (["float32", "float32"], True, np.float32),
        (["int64", "int64"], False, np.int64),
        (["int64", "int64"], True, np.float64),
        (["int64", "float64"], False, np.float64),
        (["float64", "str"], False, object),
    ],
)
def test_the_batch_has_one_dtype_that_holds_all_columns(
    dtypes: list[str], missing: bool, whole: type
):
    """Numbers stay numbers, with NaN where values may be missing; anything else makes it
    objects."""
    features = tuple(Feature(None, dtype, missing) for dtype in dtypes)
    assert Contract(features, ("predict",)).dtype == np.dtype(whole)


def test_names_are_all_or_none():
    """A model that was fitted with some unnamed columns has no names to match."""
    assert Contract((Feature("a"), Feature(None)), ("predict",)).names is None
