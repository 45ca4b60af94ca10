"""Values on their way between two Pythons, as data alone: JSON, and numpy's files for arrays.

Nothing is unpickled. The other side may be years older, so this module needs no more than numpy,
Python 3.8, and pandas where a value is a table.
"""

from __future__ import annotations

import io
import json
import struct
from typing import IO, Any

import numpy as np

LENGTH = struct.Struct(">Q")


def write(file: IO[bytes], value: Any) -> None:
    """Write one message. Raises TypeError for a value that can't be sent."""
    blocks: list[bytes] = []
    tree = _encoded(value, blocks)
    head = json.dumps({"value": tree, "blocks": [len(block) for block in blocks]}).encode()
    file.write(b"".join([LENGTH.pack(len(head)), head, *blocks]))
    file.flush()


def read(file: IO[bytes]) -> Any:
    """Read one message. Raises EOFError at the end."""
    head = json.loads(_exactly(file, LENGTH.unpack(_exactly(file, LENGTH.size))[0]))
    blocks = [_exactly(file, length) for length in head["blocks"]]
    return _decoded(head["value"], blocks)


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _encoded(value: Any, blocks: list[bytes]) -> Any:
    if hasattr(value, "toarray"):  # a sparse matrix
        value = value.toarray()
    elif isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    tree: Any = value
    if isinstance(value, (list, tuple)):
        tree = {"list": [_encoded(part, blocks) for part in value]}
    elif isinstance(value, dict):
        tree = {"dict": [[_encoded(part, blocks) for part in pair] for pair in value.items()]}
    elif hasattr(value, "columns") and hasattr(value, "dtypes"):
        columns = [value.iloc[:, place] for place in range(value.shape[1])]
        tree = {"frame": [[_encoded(c.name, blocks), _of_column(c, blocks)] for c in columns]}
    elif type(value).__name__ in ("NAType", "NaTType"):
        tree = {"missing": type(value).__name__}
    elif not (value is None or isinstance(value, (bool, int, float, str))):
        tree = _of_array(np.asarray(value), blocks)
    return tree


def _of_array(array: np.ndarray, blocks: list[bytes]) -> Any:
    if array.dtype == object:
        flat = array.ravel().tolist()
        if array.shape == () and type(flat[0]).__module__ != "builtins":
            raise TypeError(f"a {type(flat[0]).__name__} can't be sent")
        return {"objects": [_encoded(part, blocks) for part in flat], "shape": list(array.shape)}
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    blocks.append(buffer.getvalue())
    return {"array": len(blocks) - 1}


def _of_column(column: Any, blocks: list[bytes]) -> Any:
    """Encode a column by its dtype: that of numpy, pandas' categories, or pandas' own with NA."""
    dtype = column.dtype
    if hasattr(dtype, "categories"):
        categories = np.asarray(dtype.categories)
        return {
            "codes": _of_array(np.asarray(column.cat.codes), blocks),
            "categories": _of_array(categories, blocks),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, np.dtype):
        return _of_array(column.to_numpy(), blocks)
    objects = column.to_numpy(dtype=object)
    missing = np.asarray(column.isna())
    # pandas 3 gives texts a dtype that older ones lack; its missing value is NaN.
    plain = str(getattr(dtype, "na_value", "")) == "nan"
    objects = np.where(missing, np.nan if plain else None, objects)
    encoded = _of_array(np.asarray(objects, dtype=object), blocks)
    return encoded if plain else {"values": encoded, "dtype": str(dtype)}


def _decoded(tree: Any, blocks: list[bytes]) -> Any:
    value = tree
    if not isinstance(tree, dict):
        return value
    if "list" in tree:
        value = [_decoded(part, blocks) for part in tree["list"]]
    elif "dict" in tree:
        value = {_decoded(key, blocks): _decoded(part, blocks) for key, part in tree["dict"]}
    elif "objects" in tree:
        value = np.empty(len(tree["objects"]), dtype=object)
        for place, part in enumerate(tree["objects"]):
            value[place] = _decoded(part, blocks)
        value = value.reshape(tree["shape"])
    elif "array" in tree:
        data = io.BytesIO(blocks[tree["array"]])
        value = np.lib.format.read_array(data, allow_pickle=False)
    else:
        value = _of_pandas(tree, blocks)
    return value


def _of_pandas(tree: Any, blocks: list[bytes]) -> Any:
    import pandas as pd

    if "missing" in tree:
        return pd.NA if tree["missing"] == "NAType" else pd.NaT
    columns = [_column(pd, part, blocks) for _, part in tree["frame"]]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    frame.columns = pd.Index([_decoded(name, blocks) for name, _ in tree["frame"]], dtype=object)
    return frame


def _column(pd: Any, tree: Any, blocks: list[bytes]) -> Any:
    if "codes" in tree:
        codes, categories = (_decoded(tree[name], blocks) for name in ("codes", "categories"))
        return pd.Series(pd.Categorical.from_codes(codes, categories, ordered=tree["ordered"]))
    if "values" in tree:
        return pd.Series(_decoded(tree["values"], blocks), dtype=tree["dtype"])
    values = _decoded(tree, blocks)
    return pd.Series(values, dtype=values.dtype)
