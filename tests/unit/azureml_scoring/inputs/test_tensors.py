"""Requests of the Open Inference Protocol."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring import errors
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.binary_tensors import framed
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BINARY_TENSORS, TENSORS
from validated import NAMED, UNNAMED, one
from validation import validate

MIXED = Contract((Feature("a", missing=True), Feature("b", "str")), ("predict",))


def tensor(shape: Any, data: Any, name: Any = "x", datatype: Any = "FP64", **more: Any) -> Any:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data} | more


def read(document: Any, contract: Contract = NAMED) -> Batch:
    return validate(orjson.dumps(document), contract, Limits(), TENSORS)


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor([2, 2], [[1, 2], [3, 4]])],
        [tensor([2, 2], [1, 2, 3, 4])],
        [tensor([2], [2, 4], "b"), tensor([2], [1, 3], "a")],
        [tensor([2, 1], [[1], [3]], "a"), tensor([2, 1], [2, 4], "b", "INT64")],
    ],
)
def test_one_tensor_holds_all_columns_or_each_input_is_one(inputs: Any):
    """Data may be nested or flat; a tensor's columns are in the order of the fit."""
    assert read({"id": "7", "inputs": inputs}).X.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    if len(inputs) == 1:
        assert read({"inputs": inputs}, UNNAMED).X.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_frame_of_mixed_columns_is_one_input_a_column():
    """As KServe and MLServer write a DataFrame, with null for a missing number."""
    frame = {
        "model_name": "m",  # KServe's client names it twice
        "parameters": {"content_type": "pd"},
        "inputs": [tensor([2], [1, None], "a"), tensor([2], ["x", "y"], "b", "BYTES")],
    }
    X = read(frame, MIXED).X.tolist()
    assert X[0] == [1.0, "x"]
    assert X[1][0] != X[1][0]
    assert read({"inputs": [tensor([2], ["x", "y"], datatype="BYTES")]}, one("str")).X.tolist() == [
        ["x"], ["y"],
    ]  # fmt: skip


def test_the_output_names_the_method():
    """Without one it is the model's first."""
    inputs = [tensor([1, 2], [1, 2])]
    assert read({"inputs": inputs}).method == "predict"
    assert (
        read({"inputs": inputs, "outputs": [{"name": "predict_proba"}]}).method == "predict_proba"
    )


@pytest.mark.parametrize(
    ("document", "error", "location"),
    [
        ([], errors.UnknownForm, ""),
        ({"data": []}, errors.UnknownForm, ""),
        ({"inputs": []}, errors.UnknownForm, "/inputs"),
        ({"inputs": [1]}, errors.UnknownForm, "/inputs"),
        ({"inputs": [{}]}, errors.UnknownForm, "/inputs/0"),
        ({"inputs": [tensor([1, 2], [1, 2], datatype=[])]}, errors.UnknownForm, "/inputs/0"),
        ({"inputs": [tensor([1, 2], [1, 2], datatype="F4")]}, errors.UnknownForm, "/inputs/0"),
        ({"inputs": [tensor([-1, 2], [1, 2])]}, errors.UnknownForm, "/inputs/0"),
        ({"inputs": [tensor([], [1, 2])]}, errors.UnknownForm, "/inputs/0"),
        ({"inputs": [tensor([1, 2], "x")]}, errors.UnknownForm, "/inputs/0"),
        ({"inputs": [tensor([2], [1, 2])]}, errors.WrongShape, "/inputs/0/shape"),
        ({"inputs": [tensor([2, 2], [1, 2, 3])]}, errors.WrongShape, "/inputs/0/data"),
        ({"inputs": [tensor([2, 2], [[1, 2], [3]])]}, errors.WrongShape, "/inputs/0/data"),
        ({"inputs": [tensor([2, 2], [[1, 2], 3])]}, errors.WrongShape, "/inputs/0/data"),
        ({"inputs": [tensor([10**18, 10**18], [1])]}, errors.WrongShape, "/inputs/0/data"),
        ({"inputs": [tensor([0, 2], [])]}, errors.EmptyBatch, "/inputs/0/data"),
        ({"inputs": [tensor([1], [1], "a")] * 2}, errors.WrongShape, "/inputs"),
        (
            {"inputs": [tensor([1], [1], "a"), tensor([1], [1], "c")]},
            errors.WrongFeatures,
            "/inputs",
        ),
        (
            {"inputs": [tensor([1], [1], "a"), tensor([2], [1, 2], "b")]},
            errors.WrongShape,
            "/inputs/b",
        ),
        (
            {"inputs": [tensor([1, 2], [1, 2])], "outputs": [{"name": "fit"}]},
            errors.UnknownMethod,
            "/outputs/0/name",
        ),
        (
            {"inputs": [tensor([1, 2], [1, 2])], "outputs": [{}, {}]},
            errors.UnknownForm,
            "/outputs",
        ),
        *(
            (
                {"inputs": [tensor([1, 2], [1, 2])], "outputs": [output]},
                errors.UnknownForm,
                "/outputs/0",
            )
            for output in (
                {"nmae": "predict_proba"},
                {"name": "predict_proba", "parameters": {"classification": 1}},
            )
        ),
        (
            {"inputs": [tensor([1, 2], None, parameters={"shared_memory_region": "x"})]},
            errors.UnknownForm,
            "/inputs/0",
        ),
        (
            {"inputs": [tensor([1, 2], None, parameters={"binary_data_size": 16})]},
            errors.UnknownForm,
            "/inputs/0",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(document: Any, error: type, location: str):
    """Each mistake is the client's, with an error of its own."""
    with pytest.raises(errors.ClientError) as caught:
        read(document)
    assert (type(caught.value), caught.value.location) == (error, location)


PAIR = '{"name":"x:","shape":[1,2],"datatype":"FP64","data":[1,2]}'


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (f'{{"inputs":[{PAIR}],"inputs":[{PAIR}]}}', ""),
        (f'{{"inputs":[{PAIR[:-1]},"data":[3,4]}}]}}', "/inputs/0"),
        (f'{{"inputs":[{PAIR}],"outputs":[{{"name":"predict","name":"predict_proba"}}]}}', ""),
        (f'{{"inputs":[{PAIR}],"parameters":{{"a":1,"a":2}}}}', ""),
    ],
)
def test_a_key_that_an_object_has_twice_is_refused(body: str, location: str):
    """As in the other forms: nobody knows which one counts."""
    for media_type, sent in (
        (TENSORS, body.encode()),
        (BINARY_TENSORS, framed(len(body), body.encode())),
    ):
        with pytest.raises(errors.WrongFeatures, match="more than once") as caught:
            validate(sent, NAMED, Limits(), media_type)
        assert caught.value.location == location
    once = f'{{"inputs":[{PAIR}],"parameters":{{"a":{{"b":":"}}}}}}'
    assert validate(once.encode(), NAMED, Limits(), TENSORS).X.tolist() == [[1.0, 2.0]]


NAME = st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | NAME,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=8,
)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b"]) | JSON,
        "shape": st.lists(st.integers(0, 3), max_size=3) | JSON,
        "datatype": st.sampled_from(["FP64", "BYTES"]) | JSON,
        "data": st.lists(st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)) | JSON,
        "parameters": JSON,
    },
)


@given(
    st.fixed_dictionaries(
        {"inputs": st.lists(TENSOR, max_size=3) | JSON},
        optional={"id": JSON, "outputs": JSON | st.lists(st.fixed_dictionaries({"name": JSON}))},
    )
    | JSON
)
def test_any_document_gives_a_batch_or_a_client_error(document: Any):
    """Nothing that a client sends raises anything else."""
    for contract in (NAMED, UNNAMED, MIXED, one("str")):
        try:
            batch = read(document, contract)
        except errors.ClientError:
            continue
        assert batch.X.shape[1] == len(contract.features)
