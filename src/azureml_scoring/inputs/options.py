"""What a request asks for beside its data: the method, and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from azureml_scoring.errors import UnknownForm, UnknownMethod

PARAMS, GLOBAL_PARAMETERS = "params", "GlobalParameters"
"""The keys of the parameters, as MLflow and as Azure ML's AutoML call them."""

METHOD, METHOD_POINTER = "method", "/method"

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Options(NamedTuple):
    """``method``: as sent, or None; ``params``: the other parameters; the pointers are theirs.
    ``keys``: how many keys the parameters have."""

    method: Any = None
    method_pointer: str = METHOD_POINTER
    params: Mapping[str, Any] = NOTHING
    params_pointer: str = "/params"
    keys: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any], params_key: str) -> Options:
        """Read the method and the parameters of a document. Raises UnknownForm."""
        method, params = document.get(METHOD), document.get(params_key)
        if params is None or (params_key == GLOBAL_PARAMETERS and type(params) in (float, int)):
            return cls(method)  # AutoML's regression sends "GlobalParameters": 1.0
        pointer = f"/{params_key}"
        if not isinstance(params, dict):
            raise UnknownForm(f'"{params_key}" must be an object.', pointer)
        rest = {name: value for name, value in params.items() if name != METHOD}
        if METHOD not in params:
            return cls(method, params=rest, params_pointer=pointer, keys=len(params))
        if method is not None:
            raise UnknownForm(f'Name the method once, beside "{params_key}" or in it.', pointer)
        return cls(params[METHOD], f"{pointer}/{METHOD}", rest, pointer, len(params))


NO_OPTIONS = Options()


def method_of(methods: Sequence[str], method: Any, pointer: str = METHOD_POINTER) -> str:
    """Return the method that the model is called by. Raises UnknownMethod.

    ``methods``: the model's; ``method``: as sent, or None; ``pointer``: to it.
    """
    if method is None:
        return methods[0]
    if method not in methods:
        raise UnknownMethod(f"The model has the methods {', '.join(methods)}.", pointer)
    return str(method)
