"""Writes the answers of a request, one for each row, in each form beside JSON.

To add a form, write its function and put it into ``ENCODERS``.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import io
from collections.abc import Callable
from types import NoneType
from typing import Any

import numpy as np

from azureml_scoring.errors import NotAcceptable
from azureml_scoring.inputs.media_types import ARROW, CSV, JSON, NPY, PARQUET
from azureml_scoring.outputs.columns import columns_of


def to_csv(answers: list[Any]) -> bytes:
    """Write a CSV with a header, RFC 4180. Floats have as many digits as tell them apart; a missing
    value is an empty cell."""
    columns = columns_of(answers)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def to_arrow(answers: list[Any]) -> bytes:
    """Write a stream of Arrow IPC."""
    import pyarrow as pa

    table, sink = pa.table(columns_of(answers)), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def to_parquet(answers: list[Any]) -> bytes:
    """Write a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table(columns_of(answers)), sink)
    return sink.getvalue()


def to_npy(answers: list[Any]) -> bytes:
    """Write an array of numbers or booleans as ``numpy.save`` does; a missing value is NaN.

    Raises NotAcceptable for other answers.
    """
    array = _numbers(answers)
    if array is None:
        raise NotAcceptable(
            f"These predictions are not an array of numbers, which {NPY} needs; name {CSV} in the "
            f"header Accept, or leave it out for JSON."
        )
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    return sink.getvalue()


def _numbers(answers: list[Any]) -> np.ndarray | None:
    """Return answers as an array, None if they are not one of numbers or booleans."""
    try:
        array = np.array(answers)
    except ValueError:  # rows of several lengths
        return None
    if array.dtype == object and {*map(type, array.flat)} <= {bool, int, float, NoneType}:
        array = array.astype(np.float64)
    return array if array.dtype.kind in "biuf" else None


ENCODERS: dict[str, Callable[[list[Any]], bytes]] = {
    CSV: to_csv,
    NPY: to_npy,
    ARROW: to_arrow,
    PARQUET: to_parquet,
}
"""By the answer's media type."""


@functools.cache
def offered() -> tuple[str, ...]:
    """Return the media types of answers, the first of which is JSON. Arrow and Parquet need
    pyarrow."""
    if importlib.util.find_spec("pyarrow") is None:
        return JSON, CSV, NPY
    return JSON, *ENCODERS
