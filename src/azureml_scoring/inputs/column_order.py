"""Finds the model's columns among those of a request, by name or by place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from azureml_scoring.errors import WrongFeatures
from azureml_scoring.inputs.contract import Contract

MAX_NAMED_COLUMNS = 10
"""How many columns an error names."""


class WrongWidth(WrongFeatures):
    """Rows without names have another number of values than the model has features. The caller
    adds what to send."""


def order_by_name(columns: Sequence[Any], contract: Contract, place: str) -> list[int]:
    """Return the position of each feature among these columns. Raises WrongFeatures.

    ``columns``: as sent, unknown ones among them; ``place``: the pointer to them.
    """
    positions = {str(name): position for position, name in enumerate(columns)}
    if len(positions) != len(columns):
        raise WrongFeatures("A column is named more than once; name each column once.", place)
    check_names(positions.keys(), contract, place)
    return [positions[name] for name in contract.column_names]


def absent_columns(columns: Collection[str], contract: Contract, place: str) -> list[str]:
    """Return the optional columns of the model that are not among these.

    Raises WrongFeatures if all are optional and none is there: the rows are meant for another
    model. ``place``: the pointer to the names.
    """
    absent = [name for name in contract.optional if name not in columns]
    if len(absent) == len(contract.features):
        raise WrongFeatures(
            f"There is none of the model's columns, which are {_listed(absent)}.", place
        )
    return absent


def order_by_place(width: int, contract: Contract, place: str, *, flat: bool) -> range:
    """Return the order of the fit, if the rows have its width. Raises WrongWidth.

    ``flat``: the only row was sent as a flat list.
    """
    count = len(contract.features)
    if width != count:
        subject = "A list of values is one row, which" if flat else "A row"
        raise WrongWidth(
            f"{subject} must have {count} values, one for each feature of the model, not {width}.",
            place,
        )
    return range(count)


def check_names(
    columns: Collection[str], contract: Contract, place: str, needed: Sequence[str] | None = None
) -> None:
    """Raise WrongFeatures if a column is missing. ``needed``: None for all of the model's."""
    expected = contract.column_names if needed is None else needed
    missing = [name for name in expected if name not in columns]
    if missing and contract.names is None:
        raise WrongFeatures(
            f"The model has no column names, so its columns are called by their place in its fit, "
            f"0 to {len(contract.features) - 1}. Put the values of each row in the order of the "
            f"fit, and use these names or send the rows without names.",
            place,
        )
    if missing:
        raise WrongFeatures(f"Columns are missing: {_listed(missing)}.", place)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED_COLUMNS
    return ", ".join(names[:MAX_NAMED_COLUMNS]) + (f" and {more} more" if more > 0 else "")
