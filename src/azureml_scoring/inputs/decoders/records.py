"""Records: ``[{"age": 59, "sex": "a"}, {"age": 37, "sex": "b"}]``, or one of them by itself.

A key that a record lacks is a missing value. Keys that the model does not know are left out,
whatever they hold.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

from azureml_scoring.errors import WrongFeatures, WrongShape
from azureml_scoring.inputs.column_order import check_names
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.table import (
    Table,
    check_scalars,
    check_size,
    key_pointer,
    types_of,
)

Record = dict[str, Any]


def fits(data: Any) -> bool:
    return isinstance(data, dict) or (isinstance(data, list) and dict in set(map(type, data)))


def decode(data: Any, pointer: str, contract: Contract, limits: Limits) -> Table:
    """Read the values of the model's columns. Raises ClientError."""
    single = isinstance(data, dict)
    records: list[Record] = [data] if single else _records(data, pointer)
    names = contract.column_names

    def record_pointer(row: int) -> str:
        return pointer if single else f"{pointer}/{row}"

    def location(row: int, feature: int) -> str:
        return key_pointer(record_pointer(row), names[feature])

    counts = list(map(len, records))
    elements = max(sum(counts), len(records) * len(names))  # keys that are missing count too
    check_size(elements, len(records), max(counts, default=0), pointer, limits)
    values = _values(records, names)
    if values is None:
        known = frozenset(names)
        strange = next((i for i, one in enumerate(records) if known.isdisjoint(one)), None)
        if strange is not None:
            raise WrongShape(
                "A record must have at least one of the model's columns.", record_pointer(strange)
            )
        _check_absent(records, contract, pointer)
        values = [tuple(map(dict.get, records, itertools.repeat(name))) for name in names]
    types = types_of(values)
    check_scalars(values, types, location)
    return Table(values, types, location, keys=sum(counts))


def _values(records: Sequence[Record], names: Sequence[str]) -> list[tuple[Any, ...]] | None:
    """Return the values of each column; None if a record lacks one."""
    own_keys = dict(zip(records[0], records[0], strict=True))  # which are found soonest
    try:
        keys = [own_keys[name] for name in names]
        if len(keys) == 1:
            return [tuple(map(operator.itemgetter(*keys), records))]
        return list(zip(*map(operator.itemgetter(*keys), records), strict=True))
    except KeyError:
        return None


def _records(data: list[Any], pointer: str) -> list[Record]:
    """Raise WrongShape if some rows are not objects."""
    if set(map(type, data)) == {dict}:
        return data
    if isinstance(data[0], dict):
        index = next(i for i, row in enumerate(data) if not isinstance(row, dict))
        raise WrongShape("Some rows are objects and this one is not.", f"{pointer}/{index}")
    index = next(i for i, row in enumerate(data) if isinstance(row, dict))
    raise WrongShape("This one is an object, and what is before it is not.", f"{pointer}/{index}")


def _check_absent(records: Sequence[Record], contract: Contract, pointer: str) -> None:
    """Raise WrongFeatures for a column that no record has, if the model takes no missing values in
    it; or for one that a record lacks, if a key looks like a misspelling of it."""
    keys = set[str]().union(*records)
    names = contract.column_names
    needed = [
        name for name, feature in zip(names, contract.features, strict=True) if not feature.missing
    ]
    check_names(keys, contract, pointer, needed)
    longest = 2 * max(map(len, names))  # a body may hold a key of millions of characters
    short = (key for key in keys.difference(names) if len(key) <= longest)
    unknown = set(map(_folded, short)) - {""}
    misspelled = (name for name in names if _folded(name) in unknown)
    if wrong := next((n for n in misspelled if not all(n in one for one in records)), None):
        raise WrongFeatures(
            f"A key differs from the column {wrong} only in its case or its punctuation; write the "
            f"names as the model has them.",
            pointer,
        )


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
