"""Reads ``scoring.toml``: the model, how it is packaged, and the names of it and its endpoints."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import yaml

from azureml_scoring.errors import StartupError
from mlops.check.endpoint import NAME as ENDPOINT_NAME
from mlops.package_commands import package

FILE = Path("scoring.toml")
NOT_KEYS = ("model", "name", "version", "out", "force")
"""Parameters of `mlops package` that are not keys of [model]: the model is the key ``file``, the
others come from elsewhere."""

MODEL_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")


@dataclass(frozen=True)
class Names:
    """The names of the registered model, the managed endpoint, the endpoint on attached AKS, and
    the batch endpoint."""

    model: str
    endpoint: str
    kubernetes_endpoint: str
    batch_endpoint: str


@dataclass(frozen=True)
class Project:
    """The content of the project file.

    ``options``: those of `mlops package`, with the model as ``file``; empty without a model.
    """

    options: Mapping[str, Any]
    names: Names


def command_line(options: Mapping[str, Any]) -> list[str]:
    """Turn options, without ``file``, into the words of a `mlops package` command."""
    words = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words += [option] if value else []
        else:
            values = value if isinstance(value, list) else [value]
            words += [f"{option}={one}" for one in values]
    return words


def read(file: Path = FILE) -> Project:
    """Read the project file. Raises StartupError with a sentence that says what to write."""
    tables = _tables(file)
    _only_known(file, "", tables, ("model", "names"))
    return Project(_options(file, tables.get("model", {})), _names(file, tables.get("names", {})))


def _tables(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StartupError(
            f"There is no {file} here; run this in the folder that holds it."
        ) from None
    except OSError as error:
        raise StartupError(
            f"{file} can't be read ({error.strerror}); make it a readable file."
        ) from None
    except (ValueError, RecursionError) as error:  # also one that is not UTF-8
        raise StartupError(f"{file} is not valid TOML ({error}); correct it.") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise StartupError(
                f"{file}: {name} is outside of a table; put it below [model] or [names]."
            )
    return tables


def _options(file: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    options = {str(option.name): option for option in package.params if option.name not in NOT_KEYS}
    _only_known(file, "model.", table, ("file", *options))
    for name, value in table.items():
        parameter = options.get(name)
        if isinstance(parameter, click.Option) and parameter.is_flag:
            right, wanted, form = isinstance(value, bool), "true or false", "true"
        elif parameter is not None and parameter.multiple:
            right, wanted = (
                isinstance(value, list) and all(isinstance(text, str) for text in value),
                "a list of texts",
            )
            form = f'["{parameter.metavar}"]'
        else:
            right, wanted, form = isinstance(value, str) and bool(value), "text", '"..."'
        if not right:
            raise StartupError(f"{file}: model.{name} must be {wanted}; write {name} = {form}.")
    return dict(table)


def _names(file: Path, table: Mapping[str, Any]) -> Names:
    known = [field.name for field in fields(Names)]
    _only_known(file, "names.", table, known)
    for name in known:
        value = table.get(name)
        if not isinstance(value, str):
            raise StartupError(
                f'{file} has no text for names.{name}; write {name} = "..." below [names].'
            )
        if name == "model" and not MODEL_NAME.fullmatch(value):
            raise StartupError(
                f"{file}: names.model must be letters, digits, dots, dashes "
                "and underscores; correct it."
            )
        if name != "model" and not (3 <= len(value) <= 32 and ENDPOINT_NAME.fullmatch(value)):
            raise StartupError(
                f"{file}: names.{name} must be 3 to 32 letters, digits and single dashes, a letter "
                "first; correct it."
            )
        if not isinstance(yaml.safe_load(value), str):
            raise StartupError(
                f"{file}: YAML does not read names.{name} as text; choose another name."
            )
    endpoints = [name for name in known if name != "model"]
    for one, other in itertools.combinations(endpoints, 2):
        if table[one] == table[other]:
            raise StartupError(
                f"{file}: names.{one} and names.{other} are the same; give each its own."
            )
    return Names(**table)


def _only_known(file: Path, before: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    known = list(known)
    if unknown := [f"{before}{name}" for name in table if name not in known]:
        raise StartupError(
            f"{file} has unknown keys: {', '.join(unknown)}; remove or correct them, there are "
            f"only {', '.join(f'{before}{name}' for name in known)}."
        )
