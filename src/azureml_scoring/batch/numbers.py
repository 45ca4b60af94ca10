"""Reads columns of numbers from Arrow without a Python object for each value.

The rows are those that the general way reads, to the last bit; what may differ is left to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from azureml_scoring.inputs.contract import Contract


def of_table(data: Any, order: Sequence[int], contract: Contract) -> np.ndarray | None:
    """Return the rows of a batch; None if they have to be read the general way.

    ``data``: a ``pyarrow.Table`` with the columns in ``order``, named by their places.
    """
    if not contract.numeric or min(order) < 0:
        return None
    columns = [data.column(str(place)) for place in order]
    if not all(_is_number(column.type) for column in columns):
        return None
    X = np.empty((data.num_rows, len(columns)))
    for place, column in enumerate(columns):
        X[:, place] = column.to_numpy()  # null becomes NaN
    nulls = sum(column.null_count for column in columns)
    if np.count_nonzero(np.isfinite(X)) + nulls != X.size:
        return None
    X += 0.0  # turns -0.0 into 0.0
    return contract.number_columns.cast(X, nulls=nulls > 0)


def of_csv(block: bytes, width: int, order: Sequence[int], contract: Contract) -> np.ndarray | None:
    """Return the rows of a block of a CSV without its header; None for the general way.

    ``width``: how many columns it has.
    """
    if not contract.numeric or min(order) < 0 or width < 2:
        return None
    lone_returns = b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
    if not block.isascii() or b'"' in block or lone_returns:
        return None
    names = list(map(str, range(width)))
    used = [names[place] for place in order]
    try:
        data = pyarrow.csv.read_csv(
            pa.BufferReader(block),
            pyarrow.csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(block) + 1
            ),
            pyarrow.csv.ParseOptions(quote_char=False),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(used, pa.float64()),
                include_columns=used,
                null_values=[""],
            ),
        )
    except pa.ArrowException:
        return None
    return of_table(data, order, contract)


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
