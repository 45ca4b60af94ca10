"""What an ONNX graph by itself takes: the columns of its inputs, and how rows become them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import BOOLEAN, TEXT, Feature

NUMBER_DTYPES = (
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
)  # fmt: skip
DTYPES = {
    "tensor(bool)": BOOLEAN, "tensor(double)": "float64", "tensor(float)": "float32",
    "tensor(string)": TEXT, **{f"tensor({dtype})": dtype for dtype in NUMBER_DTYPES},
}  # fmt: skip
"""ONNX Runtime's name of a tensor's type -> the dtype of a feature."""

EXPORT_ROWS = "export it again so that it takes rows of columns, (N, columns) with any N"


@dataclass(frozen=True)
class GraphInput:
    """One input. ``width``: how many columns it takes, None if the graph leaves it open;
    ``flat``: the graph wants (rows,), not (rows, width)."""

    name: str
    dtype: str
    width: int | None
    flat: bool

    def array(self, block: np.ndarray) -> np.ndarray:
        """Return what the graph takes for a block of columns, (rows, width).

        Raises ValueError for a value that its type can't hold.
        """
        if self.dtype in (TEXT, BOOLEAN):
            kind = str if self.dtype == TEXT else bool
            if block.dtype != kind and not all(type(value) is kind for value in block.flat):
                raise ValueError(f"the input {self.name} takes nothing but {self.dtype}")
            array = block.astype(object if self.dtype == TEXT else bool)
        elif np.dtype(self.dtype).kind == "f":
            array = block.astype(self.dtype, copy=False)
        else:
            with np.errstate(invalid="ignore"):
                array = block.astype(self.dtype)
            if not np.array_equal(array, block):
                raise ValueError(f"the input {self.name} takes whole numbers alone")
        return np.ascontiguousarray(array.reshape(-1) if self.flat else array)


class GraphInputs:
    """All inputs, each of which takes the next columns of a row."""

    def __init__(self, nodes: Sequence[Any], file: str) -> None:
        """``nodes``: ``InferenceSession.get_inputs()``. Raises StartupError for a graph that takes
        no rows of columns."""
        self._inputs = [_input(node, file, alone=len(nodes) == 1) for node in nodes]
        if not self._inputs:
            raise StartupError(f"{file} has no input; {EXPORT_ROWS}.")
        counts = {node.shape[0] for node in nodes if node.shape and isinstance(node.shape[0], int)}
        if counts - {1}:
            raise StartupError(
                f"{file} takes {max(counts)} rows at a time, no more and no fewer; {EXPORT_ROWS}."
            )
        self.row_by_row = bool(counts)

    @property
    def width(self) -> int | None:
        """The number of columns; None if the graph leaves it open."""
        widths = [one.width for one in self._inputs]
        return None if None in widths else sum(width for width in widths if width)

    def features(self, count: int) -> tuple[Feature, ...]:
        """Return the columns, ``count`` if the graph leaves that open.

        They have names where each input is one column.
        """
        named = len(self._inputs) > 1 and all(one.width == 1 for one in self._inputs)
        return tuple(
            Feature(one.name if named else None, one.dtype)
            for one in self._inputs
            for _ in range(count if one.width is None else one.width)
        )

    def feeds(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return what ``InferenceSession.run`` takes. Raises ValueError."""
        if X.ndim != 2 or X.shape[1] != (self.width or X.shape[1]):
            raise ValueError(f"the graph takes {self.width} columns")
        return dict(self._blocks(X))

    def _blocks(self, X: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        start = 0
        for one in self._inputs:
            end = start + (one.width or X.shape[1])
            yield one.name, one.array(X[:, start:end])
            start = end


def like(features: tuple[Feature, ...], signature: Sequence[Feature]) -> tuple[Feature, ...]:
    """Return a graph's columns with what an MLflow signature says of them: names, and where values
    may be missing. Only floats have a value for that.

    Raises StartupError if they are not the same columns.
    """
    if len(signature) != len(features):
        raise StartupError(
            f"The signature has {len(signature)} columns and the graph takes {len(features)}; save "
            f"the model again with a signature of the graph's own input."
        )
    by_name = {feature.name: feature for feature in signature}
    names = [feature.name for feature in features]
    named = None not in names and {*names} <= {*by_name}
    signed = [by_name[name] for name in names] if named else signature
    return tuple(
        replace(own, name=other.name, missing=missing, optional=missing and other.optional)
        for own, other in zip(features, signed, strict=True)
        for missing in [other.missing and own.dtype.startswith("float")]
    )


def _input(node: Any, file: str, *, alone: bool) -> GraphInput:
    dtype, shape = DTYPES.get(node.type), list(node.shape)
    if dtype is None:
        raise StartupError(
            f"The input {node.name} of {file} is {node.type}, which no column of a request can be; "
            f"{EXPORT_ROWS} of numbers, texts or booleans."
        )
    if len(shape) > 2:
        raise StartupError(
            f"The input {node.name} of {file} has {len(shape)} dimensions, as images and series "
            f"have, and a request is a table of rows and columns; put a Reshape in front of it, so "
            f"that it takes (N, columns)."
        )
    width = shape[1] if len(shape) == 2 else 1 if shape or not alone else None
    if not isinstance(width, int):
        width = None if alone else 1
    return GraphInput(node.name, dtype, width, flat=len(shape) == 1)
