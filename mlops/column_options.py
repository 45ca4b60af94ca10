"""``--text`` and ``--dtype``: what a CSV's columns are, where neither a contract nor the estimator
tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from azureml_scoring.inputs.contract import Feature

DTYPES = ("float64", "int64", "str", "bool", "category", "datetime")


def column_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds both; the command gets ``text`` and ``dtype``, of which ``user_types`` makes types."""
    dtype = click.option(
        "--dtype",
        multiple=True,
        metavar="COLUMN=DTYPE",
        callback=_checked,
        help=f"Read a CSV's column as {', '.join(DTYPES)}; of other files as category or datetime.",
    )
    text = click.option(
        "--text",
        multiple=True,
        metavar="COLUMN",
        help="Read a CSV's column as text, whatever its cells look like.",
    )
    return text(dtype(command))


def user_types(text: tuple[str, ...], dtype: tuple[str, ...]) -> dict[str, Feature]:
    """Column -> what the two options say of it."""
    from azureml_scoring.inputs.contract import Feature

    kinds = dict(one.rsplit("=", 1) for one in dtype) | dict.fromkeys(text, "str")
    return {name: Feature(name, kind) for name, kind in kinds.items()}


def _checked(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        if one.rpartition("=")[2] not in DTYPES or "=" not in one:
            raise click.BadParameter(
                f"{one} is not COLUMN=DTYPE with one of {', '.join(DTYPES)}.", ctx, param
            )
    return value
