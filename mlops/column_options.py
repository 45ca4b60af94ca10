"""The options ``--text`` and ``--dtype``, by which a user says what a sample's columns are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from azureml_scoring.inputs.feature import Feature

DTYPES = ("float64", "int64", "str", "bool", "category", "datetime")


def column_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add both options; ``user_types`` turns ``text`` and ``dtype`` into types."""
    dtype = click.option(
        "--dtype",
        multiple=True,
        metavar="COLUMN=DTYPE",
        callback=_checked,
        help=f"Read a column as {', '.join(DTYPES)}.",
    )
    text = click.option(
        "--text",
        multiple=True,
        metavar="COLUMN",
        help="Read a column as text, whatever its cells look like.",
    )
    return text(dtype(command))


def user_types(text: tuple[str, ...], dtype: tuple[str, ...]) -> dict[str, Feature]:
    """Return column -> the type that the two options give it."""
    from azureml_scoring.inputs.feature import Feature

    dtypes = dict(option.rsplit("=", 1) for option in dtype) | dict.fromkeys(text, "str")
    return {name: Feature(name, kind) for name, kind in dtypes.items()}


def _checked(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for option in value:
        if option.rpartition("=")[2] not in DTYPES or "=" not in option:
            raise click.BadParameter(
                f"{option} is not COLUMN=DTYPE with one of {', '.join(DTYPES)}.", ctx, param
            )
    return value
