"""The pipeline on floats, part by part, and how it is put together from fitted steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from azureml_scoring.models.engines.column_tables import Number


@dataclass(frozen=True)
class Gap:
    """1 if a column's value is missing, else 0."""

    column: int


@dataclass(frozen=True)
class Cell:
    """One float of a table, by the table's number."""

    table: int
    place: int = 0


@dataclass(frozen=True)
class Term:
    """One sum over the terms of a text, by the number of the column of texts."""

    text: int
    place: int


Float = Number | Gap | Cell | Term


@dataclass(frozen=True)
class Node:
    """A part of the new pipeline: floats, or other nodes side by side; then fitted steps."""

    floats: Sequence[Float] = ()
    nodes: Sequence[Node] = ()
    steps: Sequence[Any] = ()


def weighing(weight: float, width: int) -> StandardScaler:
    """Return a fitted transformer that multiplies by a weight: a scaler, which converts to ONNX."""
    scaler = StandardScaler(with_mean=False)
    scaler.scale_ = np.full(width, 1 / weight if weight else np.inf)
    scaler.mean_, scaler.n_features_in_ = np.zeros(width), width
    return scaler


def joined(nodes: Iterable[Node]) -> Node:
    """Return nodes side by side as one; neighbours of which no step takes the floats are one."""
    parts: list[Node] = []
    for node in nodes:
        inner = [node] if node.steps or not node.nodes else node.nodes
        for each in inner:
            if parts and not any((each.steps, each.nodes, parts[-1].steps, parts[-1].nodes)):
                parts[-1] = Node([*parts[-1].floats, *each.floats])
            else:
                parts.append(each)
    return parts[0] if len(parts) == 1 else Node(nodes=parts)


def width_of(node: Node) -> int | None:
    """Return how many floats a node gives; None where that is up to a step of the original."""
    if node.steps:
        return None
    widths = [width_of(inner) for inner in node.nodes]
    return None if None in widths else len(node.floats) + sum(filter(None, widths))


def floats_of(node: Node) -> list[Float]:
    """Return all floats that a node and those in it take."""
    return [*node.floats, *(each for inner in node.nodes for each in floats_of(inner))]


def built(node: Node, index: dict[Float, int], width: int) -> Any:
    """Return a node as a fitted transformer of all floats."""
    if node.nodes:
        columns = _side_by_side([_child(inner, index, width) for inner in node.nodes], width)
    else:
        columns = _side_by_side([("passthrough", [index[each] for each in node.floats])], width)
    return _chained(columns, node.steps)


Part = tuple[Any, list[int]]
"""A fitted transformer, or "passthrough", and the places of its floats."""


def _child(node: Node, index: dict[Float, int], width: int) -> Part:
    if node.nodes:
        return built(node, index, width), list(range(width))
    places = [index[each] for each in node.floats]
    if not node.steps:
        return "passthrough", places
    if _reordered(places, width):
        columns = _side_by_side([("passthrough", places)], width)
        return _chained(columns, node.steps), list(range(width))
    return _chained(None, node.steps), places


def _side_by_side(parts: list[Part], width: int) -> ColumnTransformer:
    """Return the parts as one transformer. It is fitted on zeros, the parts are the original's."""
    whole: list[Part] = []
    for part, places in parts:
        if _reordered(places, width):
            whole += [("passthrough", places[:1]), ("passthrough", places[1:])]
        elif places:
            whole.append((part, places))
    columns = ColumnTransformer(
        [(f"part{n}", "passthrough", places) for n, (_, places) in enumerate(whole)]
    ).fit(np.zeros((2, width)))
    columns.transformers_ = [
        (name, inner if isinstance(part, str) else part, places)
        for (part, _), (name, inner, places) in zip(whole, columns.transformers_, strict=False)
    ]
    return columns


def _reordered(places: list[int], width: int) -> bool:
    """Tell whether these are all floats in another order, which skl2onnx does not notice."""
    return len(places) == width and places != list(range(width))


def _chained(first: Any, steps: Sequence[Any]) -> Any:
    steps = [*([] if first is None else [first]), *steps]
    if len(steps) == 1:
        return steps[0]
    return Pipeline([(f"step{n}", step) for n, step in enumerate(steps)])


def unchanged(columns: Any, numbers: list[Number], width: int) -> list[int | None]:
    """Return for each output the column whose number it is, or None; nothing if it is not known."""
    marks = np.arange(1, width + 1) + np.pi
    try:
        (outputs,) = columns.transform(marks[None])
    except Exception:  # a step may refuse such numbers
        return []
    sources = {mark: number.column for mark, number in zip(marks.tolist(), numbers, strict=False)}
    return [sources.get(output) for output in outputs.tolist()]
