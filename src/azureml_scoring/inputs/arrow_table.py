"""Turns a table of Arrow into ours: the model's columns, by name, without a Python call for each
cell.

A null is a missing value, and so is NaN. What Arrow has and JSON lacks is taken where it means the
same: decimals are numbers, dates and timestamps without a zone are texts of ISO 8601, dictionaries
are their values.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import orjson

from azureml_scoring.errors import ClientError, UnsupportedContentType, WrongType
from azureml_scoring.inputs.arrays import values_of
from azureml_scoring.inputs.column import described
from azureml_scoring.inputs.column_order import absent_columns, order_by_name
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import DATETIME, Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.table import Table, check_size, types_of

Location = Callable[[int], str]
"""Row -> the pointer to the value."""

OLDEST_PYARROW = 26
"""Older ones recurse into a Parquet schema, however deep, until the process ends."""

VIEW_BYTES = 16
"""Of each text in an array of views, the first four are its length."""


@contextlib.contextmanager
def read_by_pyarrow(malformed: ClientError) -> Iterator[None]:
    """Raise ``malformed`` in place of pyarrow's errors; UnsupportedContentType if it is not
    installed, or too old."""
    if importlib.util.find_spec("pyarrow") is None:
        raise _no_pyarrow()
    import pyarrow as pa

    if int(pa.__version__.partition(".")[0]) < OLDEST_PYARROW:
        raise _no_pyarrow()
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise malformed from error


def _no_pyarrow() -> UnsupportedContentType:
    return UnsupportedContentType(
        f"This service reads no Parquet and no Arrow, since pyarrow {OLDEST_PYARROW} or newer is "
        f"not installed there; send JSON or CSV, or add pyarrow to its environment."
    )


def wanted_columns(names: Sequence[str], contract: Contract) -> list[int]:
    """Return the places of the model's columns among these, -1 for an optional one that is not
    there. Raises WrongFeatures."""
    absent = absent_columns(set(names), contract, "")
    order = order_by_name([*names, *absent], contract, "")
    return [place if place < len(names) else -1 for place in order]


def check_type(kind: Any, feature: Feature, place: int) -> None:
    """Raise WrongType if a column of this type can't hold the values of a feature. ``place``: of
    the column, as sent."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    temporal = types.is_date(kind) or types.is_timestamp(kind)
    plain = types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind)
    plain = plain or types.is_boolean(kind) or types.is_null(kind) or _is_text(kind)
    if not (plain or (temporal and feature.dtype == DATETIME)):
        name = place if feature.name is None else feature.name
        raise WrongType(f"Feature {name} must be {described(feature)}.", f"/0/{place}")


def table_of(data: Any, order: Sequence[int], contract: Contract, limits: Limits) -> Table:
    """Return the table of a ``pyarrow.Table``. Raises ClientError.

    ``order``: for each feature the place of its column as it was sent, or -1. The columns of
    ``data`` are the features' that were sent, named by these places.
    """
    check_size(data.num_rows * len(contract.features), data.num_rows, len(order), "", limits)
    limits.check_bytes(data.nbytes)  # columns may share their bytes
    values = [
        [None] * data.num_rows if place < 0 else _values(data.column(str(place)), place, limits)
        for place in order
    ]
    return Table(values, types_of(values), lambda row, feature: f"/{row}/{order[feature]}")


def _values(column: Any, place: int, limits: Limits) -> list[Any]:
    """Return the values of a chunked array."""
    values: list[Any] = []
    for chunk in filter(len, column.chunks):  # there may be any number of empty ones
        values += _chunk(chunk, functools.partial(_pointer, len(values), place), limits)
    return values


def _pointer(start: int, place: int, row: int) -> str:
    return f"/{start + row}/{place}"


def _chunk(array: Any, location: Location, limits: Limits) -> list[Any]:
    """Return the values of an array of a type that ``check_type`` takes."""
    import pyarrow as pa
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        used = array.indices.dictionary_encode()  # a value may be large, and meant in each row
        present = array.dictionary.take(used.dictionary)
        values = _chunk(present, lambda i: location(used.indices.index(i).as_py()), limits)
        return [None if i is None else values[i] for i in used.indices.to_pylist()]
    if types.is_null(kind):
        return [None] * len(array)
    if types.is_decimal(kind):
        digits = _boxed(array.cast(pa.string()))
        return list(orjson.loads(f"[{','.join(['null' if d is None else d for d in digits])}]"))
    if types.is_date(kind) or types.is_timestamp(kind):
        moments = array.to_numpy(zero_copy_only=False)
        zone: Literal["UTC", "naive"] = "UTC" if types.is_timestamp(kind) and kind.tz else "naive"
        texts = np.datetime_as_string(moments, timezone=zone).astype(object)
        texts[np.isnat(moments)] = None
        return list(texts.tolist())
    if types.is_floating(kind):
        return values_of(array.to_numpy(zero_copy_only=False), location)
    if types.is_string_view(kind):
        lengths = np.frombuffer(array.buffers()[1], np.int32)[:: VIEW_BYTES // 4]
        present = array.is_valid().to_numpy(zero_copy_only=False)  # a null may have any length
        lengths = lengths[array.offset :][: len(array)][present]
        limits.check_bytes(int(lengths.sum(dtype=np.int64)))  # views may share their bytes
        array = array.cast(pa.large_string())
    return _boxed(array)


def _boxed(array: Any) -> list[Any]:
    """Return whole numbers, booleans or texts, and None for null."""
    from pyarrow import types

    if not array.null_count or _is_text(array.type):
        return list(array.to_numpy(zero_copy_only=False).tolist())
    zero = False if types.is_boolean(array.type) else 0
    values = array.fill_null(zero).to_numpy(zero_copy_only=False).astype(object)
    values[array.is_null().to_numpy(zero_copy_only=False)] = None
    return list(values.tolist())


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
