"""No command accepts an invalid number, or one outside of its quantity's bounds."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from commands import FOUND, call, check
from mlops.quantity_options import QuantityType

NUMBERS = [
    (name, parameter)
    for name, command in sorted(FOUND.items())
    for parameter in command.params
    if isinstance(parameter.type, QuantityType)
]
LISTS = {
    ("rollout", "traffic"): (
        "nan",
        "10,inf",
        "1_0",
        "\u0661\u0660",
        "10,200",
        "0",
        "-5",
        "1e2",
        "9" * 5000,
        "",
    ),
    ("load", "stages_"): (
        "nan",
        "30s@inf",
        "1_0s@5",
        "\u0663s@5",
        "30s@" + "9" * 400,
        "9" * 5000 + "s@1",
        "-5s@1",
    ),
    ("load", "shares"): (
        "good=nan",
        "good=1_0",
        "good=\u0661",
        "good=" + "9" * 400,
        "good=" + "9" * 5000,
        "good=-1",
    ),
}
"""Texts that hold several numbers."""
NONE = (
    "nan",
    "inf",
    "-inf",
    "1e400",
    "-1",
    "1_0",
    "\u0665",
    "0x10",
    "1,5",
    " ",
    "9" * 5000,
    "five",
    "1.5.1",
    "--",
)


def refused(result: click.testing.Result) -> None:
    check(result, expected=True)
    assert result.exit_code == 2, result.output
    assert result.output.count("Error: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameter"), NUMBERS, ids=lambda value: getattr(value, "name", value)
)
def test_an_invalid_number_is_refused(good: Path, name: str, parameter: click.Parameter):
    """NaN, infinity and digits of other scripts give an error with the option, unit and bounds."""
    quantity = parameter.type.quantity
    beyond = (
        quantity.most * 2,
        quantity.least - 1,
        *([quantity.least] * quantity.above),
        *([1.5] * quantity.whole),
    )
    for value in (*NONE, *map(str, beyond)):
        result = call(name, good, {parameter.name: value})
        refused(result)
        if not (
            isinstance(parameter, click.Argument) and value.startswith("-")
        ):  # which click takes for an option
            assert f"give {quantity}." in result.output, (value, result.output)
            assert (
                f"Invalid value for '{parameter.get_error_hint(None).strip(chr(39))}'"
                in result.output
            )


@pytest.mark.parametrize(("name", "parameter"), LISTS)
def test_a_list_of_numbers_refuses_invalid_ones(good: Path, name: str, parameter: str):
    """A list refuses what an option for a single number refuses."""
    for value in LISTS[name, parameter]:
        refused(call(name, good, {parameter: value or ","}))


def test_every_number_of_a_command_is_a_quantity():
    """Each number has a unit and bounds; click's own types accept NaN and infinity."""
    lax = (click.types.IntParamType, click.types.FloatParamType)
    assert not [
        (name, parameter.name)
        for name, command in FOUND.items()
        for parameter in command.params
        if isinstance(parameter.type, lax)
    ]
    assert len(NUMBERS) > 30
