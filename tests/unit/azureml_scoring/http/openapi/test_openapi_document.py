import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest
from hypothesis import given
from hypothesis import strategies as st

import support
from azureml_scoring.errors import ClientError
from azureml_scoring.http.openapi.document import SwaggerPage, openapi
from azureml_scoring.http.openapi.versions import to_3_0
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BODIES, JSON
from azureml_scoring.inputs.parameter import Parameter
from azureml_scoring.models.model import Model
from validation import validate

LIMITS = Limits(max_rows=3)

PLAIN = support.model(
    Contract((Feature(None), Feature(None)), ("predict",)),
    golden_rows=2,
    example=[[1.0, 2.0], [3.0, 4.0]],
)
NAMED = support.model(
    Contract((Feature("age", "int64"), Feature("bmi", missing=True)), ("predict", "transform")),
    golden_rows=2,
    example=[[1, 2.5], [2, None]],
)
MIXED = support.model(
    Contract(
        (
            Feature("sex", "category", missing=True, categories=("a", "b")),
            Feature("day", "datetime"),
            Feature("smokes", "bool"),
            Feature("note", "str", missing=True, optional=True),
            Feature("size", "float32", categories=(1.5, 2.5)),
            Feature("enum", "category", categories=tuple(map(str, range(60)))),
            Feature("code", "category", categories=(1, "x"), unseen=True),
        ),
        ("predict", "predict_proba"),
        "frame",
        (Parameter("top", "int64", 3), Parameter("words", "str", several=True)),
    ),
    golden_rows=2,
    example=[["a", "2025-11-09", True, "so, so", 1.5, "7", "x"]],
)
WIDE = support.model(
    Contract(tuple(Feature(f"column_{i}") for i in range(1000)), ("predict",)),
    golden_rows=2,
    example=[[0.123456789] * 1000] * 2,
)
MODELS = {"plain": PLAIN, "named": NAMED, "mixed": MIXED, "wide": WIDE}


def page(model: Model | None) -> SwaggerPage:
    return SwaggerPage(SimpleNamespace(loaded=model), LIMITS, 503)


def document(model: Model, version: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(page(model)(version).body)
    return parsed


SCHEMAS = {
    id(model): jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/ServiceInput"}
        | {"components": openapi(model, LIMITS)["components"]}
    )
    for model in MODELS.values()
}


def body_schema(model: Model) -> jsonschema.Draft202012Validator:
    return SCHEMAS[id(model)]


def takes(model: Model, body: Any) -> bool:
    try:
        validate(json.dumps(body).encode(), model.contract, LIMITS)
    except ClientError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2", "3", "3.1"])
@pytest.mark.parametrize("model", [PLAIN, NAMED, MIXED], ids=["plain", "named", "mixed"])
def test_the_document_is_valid(model: Model, version: str):
    """Tools that read OpenAPI accept the document in each version, for every kind of model."""
    openapi_spec_validator.validate(document(model, version))


@pytest.mark.slow
@pytest.mark.parametrize(("version", "name"), [("2", "2.0"), ("3", "3.0"), ("3.1", "3.1")])
def test_the_document_of_a_wide_model_is_valid(version: str, name: str):
    """By the specification's own schema, which takes less time than to follow each reference."""
    specification = openapi_spec_validator.schemas.get_schema_content(name)
    jsonschema.validate(document(WIDE, version), specification)


@pytest.mark.parametrize("version", ["2", "3", "3.1"])
def test_the_document_of_a_wide_model_stays_small(version: str):
    """A thousand columns give a document that a browser opens."""
    assert len(page(WIDE)(version).body) < 500_000


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_examples_fit_their_own_schema_and_the_service(model: Model):
    """Every example may be copied and sent; each main form has one."""
    content = document(model, "3.1")["paths"]["/score"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert examples.keys() == {"records", "rows", "split", "columns", "method"}
    schema = body_schema(model)
    for example in examples.values():
        schema.validate(example["value"])
        assert takes(model, example["value"])
    csv = content["text/csv"]["examples"]["csv"]["value"]
    assert len(validate(csv.encode(), model.contract, LIMITS, "text/csv").X) > 0


def test_a_model_without_a_manifest_has_no_examples():
    """They would be the author's input example, which may hold somebody's data."""
    shown = document(dataclasses.replace(NAMED, golden_rows=0), "3.1")
    openapi_spec_validator.validate(shown)
    assert "2.5" not in json.dumps(shown)


def test_the_schemas_hold_what_the_contract_says():
    """Categories, missing values, limits and methods are there to generate a client from."""
    schemas = document(MIXED, "3")["components"]["schemas"]
    kinds = {
        name: schemas[value["$ref"].rpartition("/")[2]]
        for name, value in schemas["Record"]["properties"].items()
    }
    assert kinds["sex"] == {"enum": ["a", "b", None], "nullable": True}
    assert kinds["note"] == {"type": "string", "nullable": True}
    assert kinds["smokes"] == {"type": "boolean"}
    assert "60 values" in kinds["enum"]["description"]
    assert schemas["Record"]["required"] == ["day", "smokes", "size", "enum", "code"]
    assert schemas["Records"]["maxItems"] == 3
    assert schemas["Method"]["enum"] == ["predict", "predict_proba", None]
    assert schemas["Parameters"]["properties"]["top"]["default"] == 3


def test_schemas_of_3_0_have_no_word_that_only_3_1_knows():
    """Generators of clients for OpenAPI 3.0 read types, not lists of them."""
    text = json.dumps(to_3_0(openapi(MIXED, LIMITS)))
    assert '"type": [' not in text
    assert "prefixItems" not in text


@pytest.mark.parametrize("version", ["2", "3"])
def test_every_type_of_body_is_there(version: str):
    """A generated client knows that it may send Parquet; binary tensors are there too."""
    paths = document(PLAIN, version)["paths"]
    bodies = {
        path: set(post.get("consumes") or post["requestBody"]["content"])
        for path, post in ((path, of.get("post")) for path, of in paths.items())
        if post
    }
    assert bodies["/score"] == {*BODIES}
    assert bodies["/v2/models/{name}/infer"] == {JSON, "application/octet-stream"}
    assert bodies["/v1/models/{name}:predict"] == {JSON}


NUMBERS = st.integers(-10, 10) | st.floats(-1e6, 1e6)
ODD = st.none() | st.booleans() | st.text(max_size=2) | st.just([1]) | st.just({"a": 1})


@given(
    rows=st.lists(st.lists(NUMBERS | ODD, min_size=2, max_size=2), max_size=4),
    form=st.sampled_from(["rows", "records", "bare"]),
)
@pytest.mark.parametrize("model", [PLAIN, NAMED], ids=["plain", "named"])
def test_the_schema_accepts_what_the_service_accepts(model: Model, rows: list[Any], form: str):
    """A client that checks its rows against the document learns what the service would say."""
    names = model.contract.names or ("0", "1")
    records = [dict(zip(names, row, strict=True)) for row in rows]
    body = {"rows": {"data": rows}, "records": {"data": records}, "bare": rows}[form]
    assert body_schema(model).is_valid(body) == takes(model, body)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sex", "c"),
        ("day", "2025-13-09"),
        ("day", "2025-11-09T10:00:00Z"),
        ("day", None),
        ("smokes", 1),
        ("note", 1),
        ("size", "1.5"),
        ("size", 3.5),
    ],
)
def test_wrong_values_are_refused_by_both(column: str, value: Any):
    """What the service refuses as a wrong value the document refuses too."""
    names = MIXED.contract.names or ()
    record = dict(zip(names, MIXED.example[0], strict=True))
    assert takes(MIXED, [record])
    wrong = record | {column: value}
    for body in ([wrong], {"data": [wrong]}, {"data": [list(wrong.values())]}):
        assert not takes(MIXED, body)
        assert not body_schema(MIXED).is_valid(body)


@pytest.mark.parametrize("value", [1, 2.5, "x", "y", True])
def test_values_that_the_fit_did_not_have_are_taken_by_both(value: Any):
    """Of any type, where the categories are of several."""
    names = MIXED.contract.names or ()
    record = dict(zip(names, MIXED.example[0], strict=True)) | {"code": value}
    assert takes(MIXED, [record])
    assert body_schema(MIXED).is_valid([record])


def test_a_version_that_is_not_there_is_not_found():
    """The error names the versions; without one it is Swagger 2.0, as azmlinfsrv has it."""
    assert page(PLAIN)("4").status == 404
    assert b"3.1" in page(PLAIN)("4").body
    assert json.loads(page(PLAIN)().body)["swagger"] == "2.0"
    assert page(PLAIN)("3.0") == page(PLAIN)("3")


def test_while_the_model_loads_the_document_is_not_ready():
    """The columns are not known yet; Retry-After says when to come back."""
    answer = page(None)()
    assert answer.status == 503
    assert "Retry-After" in answer.headers
