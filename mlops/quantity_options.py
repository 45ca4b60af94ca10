"""Quantities as types of command-line options."""

from __future__ import annotations

from typing import Any

import click

from azureml_scoring.quantities import Quantity


class QuantityType(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """The type of an option. Its help shows the unit, and its error the bounds."""

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self.name = quantity.unit

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return self.quantity.parse(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
