"""Runs a query over rows: just the operators and functions that our queries use, and no others.

``percentile()`` is the nearest rank, as Kusto defines it; Kusto estimates it by T-Digest, off by at
most one per cent of the ranks at the median and less towards the ends
(https://learn.microsoft.com/kusto/query/percentiles-aggregation-function).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from kusto import scalars
from kusto.scalars import BINARY, FUNCTIONS, NotSupportedError, Row, binary
from kusto.tree import Node, simplified

Table = list[dict[str, Any]]
Values = Sequence[Any]


def nearest_rank(values: Iterable[Any], percent: int) -> Any:
    """The smallest value that at least so many per cent are less than or equal to. Nulls do not
    count."""
    ordered = sorted(value for value in values if value is not None)
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1] if ordered else None


AGGREGATES: dict[str, Callable[..., Any]] = {
    "count": len,
    "countif": lambda rows, found: sum(value is True for value in found),
    "make_list": lambda rows, found, most: [value for value in found if value is not None][
        : most[0]
    ],
    "make_set": lambda rows, found, most: list(
        dict.fromkeys(value for value in found if value is not None)
    )[: most[0]],
    "max": lambda rows, found: max((value for value in found if value is not None), default=None),
    "min": lambda rows, found: min((value for value in found if value is not None), default=None),
    "percentile": lambda rows, found, percents: nearest_rank(found, percents[0]) if found else None,
    "sum": lambda rows, found: sum(value for value in found if value is not None),
    "sumif": lambda rows, found, chosen: sum(
        v for v, yes in zip(found, chosen, strict=True) if yes is True
    ),
}


def _arguments(call: Node) -> list[Node]:
    return [argument for listed in call.children[1].children for argument in listed.children]


def _unnamed(node: Node) -> Node:
    return node.children[1] if node.kind == "SimpleNamedExpression" else node


def _named_by(key: Node) -> str:
    named = key.kind == "SimpleNamedExpression"
    return key.children[0].text if named else _arguments(key)[0].text


class Evaluator:
    """``tables``: rows by the table's name. ``now``: what ``ago()`` counts from and ``now()``
    is."""

    def __init__(self, tables: dict[str, Table], now: datetime) -> None:
        self._names: dict[str, Any] = dict(tables)
        self._now = now
        self._steps = {
            "ExtendOperator": self._extend,
            "FilterOperator": self._where,
            "MvExpandOperator": self._mv_expand,
            "ProjectOperator": self._project,
            "SortOperator": self._order,
            "SummarizeOperator": self._summarize,
            "TopOperator": self._top,
        }

    def run(self, tree: list[Any]) -> Table:
        """``tree``: as the parser has it. Raises NotSupportedError."""
        (statements,) = simplified(tree).children
        *lets, last = statements.children
        for let in lets:
            if let.kind != "LetStatement":
                raise NotSupportedError(let.kind)
            name, value = let.children
            table = value.kind in ("PipeExpression", "UnionOperator")
            self._names[name.text] = self._table(value) if table else self._value(value, {})
        return self._table(last.children[0])

    def _table(self, node: Node) -> Table:
        if node.kind == "PipeExpression":
            source, step = node.children
            if step.kind not in self._steps:
                raise NotSupportedError(step.kind)
            return self._steps[step.kind](self._table(source), step)
        if node.kind == "UnionOperator":
            return self._union([self._table(each) for each in node.children[-1].children])
        if node.kind == "ParenthesizedExpression":
            return self._table(node.children[0])
        if node.kind == "NameReference" and isinstance(self._names.get(node.text), list):
            named: Table = self._names[node.text]
            return named
        raise NotSupportedError(f"{node.kind} {node.text}")

    @staticmethod
    def _union(tables: list[Table]) -> Table:
        columns = dict.fromkeys(name for table in tables for row in table for name in row)
        return [{name: row.get(name) for name in columns} for table in tables for row in table]

    def _where(self, rows: Table, step: Node) -> Table:
        return [row for row in rows if self._value(step.children[-1], row) is True]

    def _extend(self, rows: Table, step: Node) -> Table:
        return [row | self._columns(step.children[-1], row) for row in rows]

    def _project(self, rows: Table, step: Node) -> Table:
        return [self._columns(step.children[-1], row) for row in rows]

    def _order(self, rows: Table, step: Node) -> Table:
        (ordered,) = step.children[-1].children
        expression, clause = ordered.children
        return sorted(
            rows, key=lambda row: self._value(expression, row), reverse=clause.text == "desc"
        )

    def _top(self, rows: Table, step: Node) -> Table:
        most, ordered = step.children
        expression, clause = ordered.children
        rows = sorted(
            rows, key=lambda row: self._value(expression, row), reverse=clause.text == "desc"
        )
        return rows[: self._value(most, {})]

    def _mv_expand(self, rows: Table, step: Node) -> Table:
        *parameters, expansions = step.children
        if [part.text for listed in parameters for part in listed.children[0].children] != [
            "kind",
            "array",
        ]:
            raise NotSupportedError("mv-expand of another kind than array")
        name, source = expansions.children[0].children[0].children
        expanded = []
        for row in rows:
            bag = self._value(source, row)
            pairs = bag if isinstance(bag, list) else [*map(list, (bag or {}).items())]
            expanded += [row | {name.text: pair} for pair in pairs or [None]]
        return expanded

    def _summarize(self, rows: Table, step: Node) -> Table:
        by = [key for clause in step.of("SummarizeByClause") for key in clause.children[0].children]
        groups: dict[tuple[Any, ...], Table] = {} if by else {(): []}
        for row in rows:
            groups.setdefault(tuple(self._value(_unnamed(key), row) for key in by), []).append(row)
        names = [key.text or _named_by(key) for key in by]
        (aggregates,) = step.of("List")
        return [
            dict(zip(names, keys, strict=True))
            | {self._name(each): self._aggregate(each, group) for each in aggregates.children}
            for keys, group in groups.items()
        ]

    def _aggregate(self, node: Node, rows: Table) -> Any:
        call = _unnamed(node)
        name = call.children[0].text
        if name not in AGGREGATES:
            raise NotSupportedError(f"{name}()")
        return AGGREGATES[name](
            rows, *([self._value(argument, row) for row in rows] for argument in _arguments(call))
        )

    def _columns(self, listed: Node, row: Row) -> dict[str, Any]:
        return {self._name(each): self._value(_unnamed(each), row) for each in listed.children}

    @staticmethod
    def _name(node: Node) -> str:
        return node.text or node.children[0].text

    def _value(self, node: Node, row: Row) -> Any:
        kind, children = node.kind, node.children
        if kind.endswith("LiteralExpression"):
            return scalars.literal(node)
        if kind == "NameReference":
            return row[node.text] if node.text in row else self._names[node.text]
        if kind in ("PathExpression", "ElementExpression"):
            source, key = children
            path = key.text if kind == "PathExpression" else self._value(key.children[0], row)
            return scalars.element(self._value(source, row), path)
        if kind == "ParenthesizedExpression":
            return self._value(children[0], row)
        if kind == "FunctionCallExpression":
            return self._call(children[0].text, _arguments(node), row)
        if kind == "ToScalarExpression":
            table = self._table(children[0])
            return next(iter(table[0].values())) if table else None
        if kind == "AndExpression":
            return self._both(children, row, False)
        if kind == "OrExpression":
            return self._both(children, row, True)
        if kind == "InExpression":
            return self._among(children[0], children[1].children[0].children, row)
        if kind in BINARY:
            return binary(kind, *(self._value(child, row) for child in children))
        raise NotSupportedError(kind)

    def _both(self, sides: Sequence[Node], row: Row, decides: bool) -> bool | None:
        values = [self._value(side, row) for side in sides]
        return decides if decides in values else None if None in values else not decides

    def _among(self, node: Node, listed: Sequence[Node], row: Row) -> bool:
        value = self._value(node, row)
        table = self._names.get(listed[0].text)
        if isinstance(table, list):
            return any(value == next(iter(each.values())) for each in table)
        return any(value == self._value(each, row) for each in listed)

    def _call(self, name: str, arguments: Sequence[Node], row: Row) -> Any:
        if name == "iff":
            condition, then, otherwise = arguments
            return self._value(then if self._value(condition, row) is True else otherwise, row)
        if name == "now":
            return self._now
        if name == "ago":
            return self._now - self._value(arguments[0], row)
        if name not in FUNCTIONS:
            raise NotSupportedError(f"{name}()")
        return FUNCTIONS[name](*(self._value(argument, row) for argument in arguments))
