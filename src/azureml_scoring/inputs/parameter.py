"""Parameters of a model, which a request may send beside its rows: ``"params": {...}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import Field

from azureml_scoring.errors import OutOfRange, UnknownParameter, WrongType
from azureml_scoring.inputs.column import BrokenRule, column, described
from azureml_scoring.inputs.feature import ANY, DTYPE_PATTERN, Feature
from azureml_scoring.inputs.table import key_pointer

MAX_NAMED_PARAMETERS = 20


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``dtype``: as of a feature; ``several``: a list of such values; ``default``:
    None where MLflow's signature has none."""

    name: str
    dtype: Annotated[str, Field(pattern=DTYPE_PATTERN)]
    default: Any = None
    several: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": self.dtype,
            "default": self.default,
            "several": self.several,
        }

    def read(self, value: Any, pointer: str) -> Any:
        """Return the value in canonical form. Raises ClientError, which names ``pointer``."""
        if self.dtype == ANY or (value is None and self.default is None):
            return value
        rule = f"a list, each value {_kind(self)}" if self.several else _kind(self)
        values = value if self.several else [value]
        try:
            if not isinstance(values, list):
                raise BrokenRule(WrongType, f"be {rule}")
            reader = column(Feature(self.name, self.dtype))
            read = list(reader.read(values, {*map(type, values)})) if values else []
        except BrokenRule as broken:
            error = OutOfRange if broken.error is OutOfRange else WrongType
            raise error(f"The parameter {self.name} must be {rule}.", pointer) from None
        return read if self.several else read[0]


def defaults(parameters: Sequence[Parameter]) -> bytes:
    """Return what ``read`` returns for a request without parameters."""
    return read({}, parameters)


def read(
    sent: Mapping[str, Any], parameters: Sequence[Parameter], pointer: str = "/params"
) -> bytes:
    """Return all of a model's parameters as JSON, those of the request in place of the defaults;
    nothing for a model without any.

    ``sent``: by name; ``pointer``: to them. Raises ClientError.
    """
    if not (sent or parameters):
        return b""
    known = {each.name: each for each in parameters}
    if not sent.keys() <= known.keys():
        raise UnknownParameter(_of_unknown(list(known)), pointer)
    named = {each.name: each.default for each in parameters}
    for name, value in sent.items():
        named[name] = known[name].read(value, key_pointer(pointer, name))
    return orjson.dumps(named, option=orjson.OPT_SORT_KEYS)


def values(canonical: bytes) -> dict[str, Any]:
    """Return the parameters by name, of what ``read`` returned."""
    named: dict[str, Any] = orjson.loads(canonical) if canonical else {}
    return named


def _of_unknown(names: list[str]) -> str:
    if not names:
        return 'The model takes no parameters but "method".'
    more = ", ..." if len(names) > MAX_NAMED_PARAMETERS else ""
    return f"The model has the parameters {', '.join(names[:MAX_NAMED_PARAMETERS])}{more}."


def _kind(parameter: Parameter) -> str:
    return described(Feature(parameter.name, parameter.dtype))
