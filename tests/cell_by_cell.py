"""Reads a table cell by cell, by the plainest code: what the fast reader is compared with."""

import re
from typing import Any

import numpy as np

from azureml_scoring import errors
from azureml_scoring.inputs.batch import InputRow
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature

SCALARS = (int, float, str, bool, type(None))
ACCEPTED = {
    TEXT: (str,),
    BOOLEAN: (bool,),
    CATEGORY: (int, float, str, bool),
    DATETIME: (str,),
    ANY: (int, float, str, bool),
}
DESCRIPTIONS = {
    TEXT: "text",
    BOOLEAN: "true or false",
    CATEGORY: "one of its categories",
    DATETIME: "a date or time in ISO 8601 and without a time zone, "
    "as in 2025-11-09 or 2025-11-09T10:00:00",
    ANY: "a number, text or boolean",
}
MOMENT = re.compile(r"[0-9]{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?", re.ASCII)


def read(
    rows: list[InputRow],
    contract: Contract,
    pointer: str = "/data",
    columns: list[str] | None = None,
    flat: bool = False,
) -> np.ndarray:
    """Return the matrix of a batch. Raises ClientError at the first fault, column by column."""
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if type(value) not in SCALARS:
                raise errors.WrongShape("", location(pointer, flat, i, j))
    width = len(rows[0] if columns is None else columns)
    for i, row in enumerate(rows):
        if len(row) != width:
            raise errors.WrongShape("", f"{pointer}/{i}")
    if columns is None and width != len(contract.features):
        raise errors.WrongFeatures("", pointer)
    X = np.empty((len(rows), len(contract.features)), contract.dtype)
    for j, feature in enumerate(contract.features):
        position = j if columns is None else columns.index(str(feature.name))
        for i, row in enumerate(rows):
            if broken := broken_rule(feature, row[position], contract.dtype):
                error, rule = broken
                label = j if feature.name is None else feature.name
                raise error(f"Feature {label} must {rule}.", location(pointer, flat, i, position))
        X[:, j] = [canonical(feature, row[position]) for row in rows]
    return X


def location(pointer: str, flat: bool, row: int, column: int) -> str:
    return f"{pointer}/{column}" if flat else f"{pointer}/{row}/{column}"


def broken_rule(
    feature: Feature, value: Any, held_as: np.dtype[Any]
) -> tuple[type[errors.ClientError], str] | None:
    if value is None:
        rule = "not be null: the model takes no missing values there"
        return None if feature.missing else (errors.MissingValue, rule)
    if feature.dtype not in ACCEPTED and (broken := broken_number_rule(feature, value, held_as)):
        return broken
    if feature.unseen and (broken := unlike_categories(feature, value)):
        return broken
    if feature.dtype in ACCEPTED and type(value) not in ACCEPTED[feature.dtype]:
        return errors.WrongType, f"be {DESCRIPTIONS[feature.dtype]}"
    if feature.categories and not feature.unseen:
        known = [canonical(feature, category) for category in feature.categories]
        if feature.dtype == CATEGORY:
            known = list(feature.categories)
        if (value if feature.dtype == CATEGORY else canonical(feature, value)) not in known:
            return errors.WrongType, (
                f"be one of the {len(known)} values of the fit: the model takes no others there"
            )
    if feature.dtype == DATETIME and moment(value) is None:
        return errors.WrongType, f"be {DESCRIPTIONS[DATETIME]}, from 1678 to 2261"
    return None


def unlike_categories(feature: Feature, value: Any) -> tuple[type[errors.ClientError], str] | None:
    """Of a column that takes other values than its categories, if they are like them."""
    for kinds, rule in (
        ((bool,), "be true or false"),
        ((int, float), "be a number"),
        ((str,), "be text"),
        ((bool, int, float, str), "be a number, text or boolean"),
    ):
        if all(type(category) in kinds for category in feature.categories):
            return None if type(value) in kinds else (errors.WrongType, rule)
    return None


def broken_number_rule(
    feature: Feature, value: Any, held_as: np.dtype[Any]
) -> tuple[type[errors.ClientError], str] | None:
    dtype = feature.dtype
    whole = np.dtype(dtype).kind in "iu"
    rule = "be a whole number" if whole else "be a number"
    if type(value) not in (int, float):
        return errors.WrongType, rule
    info = np.iinfo(dtype) if whole else np.finfo(dtype)
    least, most = (int if whole else float)(info.min), (int if whole else float)(info.max)
    fits = least <= value <= most and (not whole or value == int(value))
    if (
        whole and (held_as == np.float64 or feature.missing) and most >= 2**53
    ):  # a float would be another number
        dtype += " and, exactly, float64"
        fits = fits and abs(value) < 2**53
    return None if fits else (errors.OutOfRange, f"{rule} that fits {dtype}")


def canonical(feature: Feature, value: Any) -> Any:
    if value is None:
        return np.nan if feature.numeric else None
    if feature.dtype == CATEGORY:
        known = value in feature.categories
        return feature.categories[feature.categories.index(value)] if known else value
    if feature.dtype == DATETIME:
        return moment(value)
    if feature.numeric and np.dtype(feature.dtype).kind in "iu":
        return int(value)
    if feature.numeric:
        return np.dtype(feature.dtype).type(value).item() + 0.0
    return value + 0.0 if type(value) is float else value


def moment(text: str) -> str | None:
    if not (MOMENT.fullmatch(text) and "1678" <= text[:4] <= "2261"):
        return None
    try:
        return str(np.datetime64(text, "ns"))
    except ValueError:
        return None
