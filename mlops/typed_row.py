"""``mlops types``: writes the type of a model's rows, for type checkers, from its contract."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from azureml_scoring.http.openapi.columns import SCALARS, value_schema
from azureml_scoring.inputs.feature import Feature
from mlops import extras
from mlops.exit_status import ExitStatus
from mlops.failure import CommandError

MAX_LITERALS = 20
"""More categories than that are written as their types."""

TIMEOUT_S = 30

NULL = "null"

PYTHON_TYPES = {"boolean": "bool", "integer": "int", "number": "float", "string": "str"}
"""JSON Schema's name of a type -> Python's."""


class Column(NamedTuple):
    """``schema``: the JSON Schema of a value. ``optional``: a request may leave it out."""

    name: str
    schema: dict[str, Any]
    optional: bool = False


@click.command()
@click.argument("model", metavar="MODEL_DIR|URL")
@click.option(
    "--key-env",
    "secret_env",
    metavar="VAR",
    help="Read the server's key or token from this environment variable.",
)
def types(model: str, secret_env: str | None) -> None:
    """Print a Python module with the type of a row.

    It is a row that the model in a folder takes, or the one that is served at a URL.

    Example: mlops types http://localhost:5001 > rows.py
    """
    if model.startswith(("http://", "https://")):
        columns = served(model, secret_env)
    elif Path(model).exists():
        from mlops.model_features import features_of

        columns = columns_of(features_of(Path(model)))
    else:
        raise click.UsageError("There is no such folder; name one, or a URL with http://.")
    click.echo(source(columns), nl=False)


def columns_of(features: Iterable[Feature]) -> list[Column]:
    """Return the columns of a contract; those without names are "0", "1", ..."""
    return [
        Column(
            str(place) if feature.name is None else feature.name,
            value_schema(feature),
            feature.optional,
        )
        for place, feature in enumerate(features)
    ]


def served(url: str, secret_env: str | None) -> list[Column]:
    """Return the columns that a server's OpenAPI document has. Raises click's exceptions."""
    try:
        import httpx

        from azureml_scoring.client.address import mounts
        from mlops.score import address_of, secret_of
    except ModuleNotFoundError:
        raise CommandError(
            f"mlops types needs httpx for a URL; run `{extras.command('deploy')}`.",
            ExitStatus.UNUSABLE,
        ) from None
    address, secret = httpx.URL(address_of(url, secret_env)), secret_of(secret_env)
    address = address.copy_with(path=address.path.removesuffix("/score") + "/swagger.json")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    try:
        with httpx.Client(mounts=mounts(str(address)), timeout=TIMEOUT_S) as client:
            answer = client.get(address.copy_set_param("version", "3.1"), headers=headers)
            return columns_in(answer.raise_for_status().json())
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        raise CommandError(
            f"{address.copy_with(query=None)} is not the OpenAPI document of this service; check "
            f"the address, that the server is ready, and the key.",
            ExitStatus.SERVER,
        ) from None


def columns_in(document: Any) -> list[Column]:
    """Raises LookupError, TypeError and AttributeError for another document than the service's."""
    schemas = document["components"]["schemas"]
    columns = schemas["Columns"]
    needed = columns.get("required", ())
    return [
        Column(name, schemas[part["items"]["$ref"].rpartition("/")[2]], name not in needed)
        for name, part in columns["properties"].items()
    ]


def source(columns: Sequence[Column]) -> str:
    """Return a module with the TypedDict ``Row``."""
    rows = {column.name: _type(column) for column in columns}
    text = " ".join(rows.values())
    used = [name for name in ("Any", "Literal", "NotRequired") if name in text] + ["TypedDict"]
    head = f'"""A row of the model\'s input."""\n\nfrom typing import {", ".join(used)}\n\n'
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in rows):
        lines = [f"    {name}: {kind}" for name, kind in rows.items()]
        return "\n".join([f"{head}\nclass Row(TypedDict):", *lines, ""])
    lines = [f"        {name!r}: {kind}," for name, kind in rows.items()]
    return "\n".join([f"{head}Row = TypedDict(", '    "Row",', "    {", *lines, "    },", ")", ""])


def _type(column: Column) -> str:
    schema = column.schema
    if "enum" in schema:
        values = [value for value in schema["enum"] if value is not None]
        kind, missing = _of_categories(values), len(values) < len(schema["enum"])
    else:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        missing = NULL in names
        known = [name for name in names if name != NULL]
        kind = "Any" if known == SCALARS else " | ".join(PYTHON_TYPES[name] for name in known)
    text = kind + (" | None" if missing else "")
    return f"NotRequired[{text}]" if column.optional else text


def _of_categories(values: Sequence[Any]) -> str:
    if len(values) <= MAX_LITERALS and not any(isinstance(value, float) for value in values):
        return f"Literal[{', '.join(map(repr, values))}]"
    return " | ".join(sorted({type(value).__name__ for value in values}))
