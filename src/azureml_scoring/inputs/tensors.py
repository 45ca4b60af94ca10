"""Parses a request of the Open Inference Protocol (V2) into a table: JSON, with one tensor for all
columns, or one input for each column.

https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from azureml_scoring.errors import UnknownForm, WrongShape
from azureml_scoring.inputs import decoders
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BOM
from azureml_scoring.inputs.options import Options
from azureml_scoring.inputs.payload import read_json
from azureml_scoring.inputs.table import Table
from azureml_scoring.inputs.unique_keys import check_unique

INPUTS, OUTPUTS, PARAMETERS = "inputs", "outputs", "parameters"
REQUEST_KEYS = {"id", "model_name", INPUTS, OUTPUTS, PARAMETERS}
"""KServe's client names the model here too; the path says which is asked."""

INPUT_KEYS = {"name", "shape", "datatype", "data", PARAMETERS}
OUTPUT_KEYS = {"name", PARAMETERS}

NOT_HERE = {"classification", "shared_memory_region"}
"""Parameters of Triton's extensions that would change what an answer means, or where it is."""

NUMPY_TYPES = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"} | {
    f"{name}{8 * size}": f"<{letter}{size}"
    for name, letter in (("INT", "i"), ("UINT", "u"))
    for size in (1, 2, 4, 8)
}
"""The protocol's datatypes of numbers and booleans -> their bytes, as numpy calls them."""

TEXTS = "BYTES"
"""The datatype of texts."""

DATATYPES = {*NUMPY_TYPES, TEXTS}


def parse(body: bytes, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Parse and check a body. Raises ClientError, whose location is in the request."""
    document = read_json(body, limits)
    parsed = read(document, contract, limits)
    check_unique(body.removeprefix(BOM), _count_keys(document), document)
    return parsed


def read(document: Any, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Read a request's document. Raises ClientError."""
    if not isinstance(document, dict) or not document.keys() <= REQUEST_KEYS:
        raise UnknownForm("The request must be an object with inputs, and maybe id, outputs.", "")
    tensors = _objects(document, INPUTS)
    if not tensors:
        raise UnknownForm('"inputs" must hold at least one input.', "/inputs")
    options = Options(_method(document), "/outputs/0/name")
    if len(tensors) == 1 and len(contract.features) > 1:
        rows = _rows(tensors[0], "/inputs/0")
        return decoders.decode(rows, "/inputs/0/data", contract, limits), options
    columns = {str(tensor.get("name")): _column(tensor, i) for i, tensor in enumerate(tensors)}
    if len(columns) != len(tensors):
        raise WrongShape("Two inputs have one name; name each column once.", "/inputs")
    if len(contract.features) == 1 and len(columns) == 1:
        rows = [[value] for value in next(iter(columns.values()))]
        return decoders.decode(rows, "/inputs/0/data", contract, limits), options
    return decoders.decode(columns, "/inputs", contract, limits), options


def _count_keys(document: Mapping[str, Any]) -> int:
    """Count the keys of a valid request, but for those deep in its parameters."""
    parts = [document, *document[INPUTS], *(document.get(OUTPUTS) or ())]
    parameters = [part[PARAMETERS] for part in parts if isinstance(part.get(PARAMETERS), dict)]
    return sum(map(len, [*parts, *parameters]))


def _objects(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    objects = document.get(key)
    if not isinstance(objects, list) or set(map(type, objects)) - {dict}:
        raise UnknownForm(f'"{key}" must be a list of objects.', f"/{key}")
    return objects


def _method(document: Mapping[str, Any]) -> Any:
    """Return the method that the request names its output after, or None. Raises UnknownForm."""
    if document.get(OUTPUTS) is None:
        return None
    outputs = _objects(document, OUTPUTS)
    if len(outputs) > 1:
        raise UnknownForm("A request has one output: the name of a method.", "/outputs")
    if not outputs:
        return None
    (output,) = outputs
    if not output.keys() <= OUTPUT_KEYS:
        raise UnknownForm("An output has a name, and maybe parameters.", "/outputs/0")
    _check_parameters(output, "/outputs/0")
    return output.get("name")


def _check_parameters(part: Mapping[str, Any], place: str) -> None:
    parameters = part.get(PARAMETERS)
    if isinstance(parameters, dict) and not NOT_HERE.isdisjoint(parameters):
        raise UnknownForm(f"There is no {' and no '.join(sorted(NOT_HERE))} here.", place)


def _rows(tensor: Mapping[str, Any], place: str) -> list[list[Any]]:
    """Return the rows of a tensor of two dimensions. Raises ClientError."""
    shape, data = checked(tensor, place)
    if len(shape) != 2:
        raise WrongShape("The only input must have the shape [rows, columns].", f"{place}/shape")
    rows, width = shape
    if data and isinstance(data[0], list):
        nested = len(data) == rows and {*map(type, data)} == {list} and {*map(len, data)} == {width}
        if not nested:
            raise WrongShape("The data does not have its input's shape.", f"{place}/data")
        return data
    _check_count(data, shape, place)
    return [data[start : start + width] for start in range(0, rows * width, width or 1)]


def _column(tensor: Mapping[str, Any], index: int) -> list[Any]:
    """Return the values of a tensor that is one column. Raises ClientError."""
    place = f"/inputs/{index}"
    shape, data = checked(tensor, place)
    if shape[1:] not in ([], [1]):
        raise WrongShape("An input for a column must have the shape [rows].", f"{place}/shape")
    if data and all(isinstance(value, list) and len(value) == 1 for value in data):
        data = [value for (value,) in data]
    _check_count(data, shape, place)
    return data


def checked(tensor: Mapping[str, Any], place: str) -> tuple[list[int], list[Any]]:
    """Return shape and data. Raises UnknownForm."""
    shape, data = tensor.get("shape"), tensor.get("data")
    if not tensor.keys() <= INPUT_KEYS or not isinstance(tensor.get("name"), str):
        raise UnknownForm("An input has name, shape, datatype and data, in JSON.", place)
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise UnknownForm(f"The datatype must be one of {', '.join(sorted(DATATYPES))}.", place)
    if not (isinstance(shape, list) and shape and all(type(n) is int and n >= 0 for n in shape)):
        raise UnknownForm("The shape must be a list of whole numbers.", place)
    _check_parameters(tensor, place)
    if not isinstance(data, list):
        raise UnknownForm("The data must be a list.", place)
    return shape, data


def _check_count(data: Sequence[Any], shape: Sequence[int], place: str) -> None:
    if len(data) != math.prod(shape):
        raise WrongShape("The data does not have its input's shape.", f"{place}/data")
