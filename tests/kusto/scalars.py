"""What an expression of a query is, for one row. Null is None; whatever is not known here is
refused, not guessed.

Dynamic values are what ``json.loads`` makes of them. A whole number divided by a whole number is
whole, as in Kusto.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kusto.tree import Node

Row = Mapping[str, Any]


class NotSupportedError(Exception):
    """The evaluator does not know this; the query may still be right."""


def literal(node: Node) -> Any:
    kind, text = node.kind.removesuffix("LiteralExpression"), node.text
    if kind == "Long":
        return int(text)
    if kind == "Int" and (found := re.fullmatch(r"int\((\d+)\)", text)):
        return int(found[1])
    if text in ("real(null)", "datetime(null)"):
        return None
    if kind == "Real":
        return float(text)
    if kind == "String" and re.fullmatch(r'"[^"\\]*"', text):
        return text[1:-1]
    if kind == "Timespan" and (found := re.fullmatch(r"(\d+)([dhms])", text)):
        return (
            int(found[1])
            * {
                "d": timedelta(days=1),
                "h": timedelta(hours=1),
                "m": timedelta(minutes=1),
                "s": timedelta(seconds=1),
            }[found[2]]
        )
    raise NotSupportedError(f"{node.kind} {text}")


def parse_json(text: str | None) -> Any:
    """Parse JSON; a text that is not JSON stays as it is."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def tostring(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _number(kind: type[int] | type[float]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return None if value is None else kind(value)
        except ValueError:
            return None

    return convert


def bin_(value: Any, size: timedelta) -> datetime:
    if not (isinstance(value, datetime) and isinstance(size, timedelta)):
        raise NotSupportedError("bin() of other than times")
    start = datetime(1, 1, 1, tzinfo=UTC)
    return start + (value - start) // size * size


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "bin": bin_,
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "isempty": lambda value: tostring(value) == "",
    "isnotempty": lambda value: tostring(value) != "",
    "isnotnull": lambda value: value is not None,
    "log": lambda value: None if value is None else math.log(value) if value > 0 else math.nan,
    "max_of": lambda *values: max(value for value in values if value is not None),
    "min_of": min,
    "not": lambda value: None if value is None else not value,
    "pack_array": lambda *values: list(values),
    "parse_json": parse_json,
    "pow": lambda base, exponent: base**exponent,
    "round": lambda value: None if value is None else float(round(value)),
    "sqrt": lambda value: None if value is None else math.sqrt(value) if value >= 0 else math.nan,
    "strcat": lambda *values: "".join(map(tostring, values)),
    "todouble": _number(float),
    "toint": _number(int),
    "tostring": tostring,
}


def divide(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        return None if right == 0 else math.trunc(left / right)
    return left / right if right else math.nan if left == 0 else math.copysign(math.inf, left)


def has(text: Any, term: str) -> bool:
    """Return whether the term stands in the text by itself, not as a part of a longer one."""
    return (
        re.search(rf"(?<![0-9a-z]){re.escape(term.lower())}(?![0-9a-z])", tostring(text).lower())
        is not None
    )


def _without_case(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: compare(tostring(left).lower(), tostring(right).lower())


TEXTS: dict[str, Callable[[Any, Any], bool]] = {
    "ContainsExpression": _without_case(lambda text, part: part in text),
    "EndsWithExpression": _without_case(str.endswith),
    "EqualTildeExpression": _without_case(operator.eq),
    "HasExpression": has,
    "StartsWithExpression": _without_case(str.startswith),
}
"""Operators that compare as texts, whatever they are given."""

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "AddExpression": operator.add,
    "SubtractExpression": operator.sub,
    "MultiplyExpression": operator.mul,
    "DivideExpression": divide,
    "EqualExpression": operator.eq,
    "GreaterThanExpression": operator.gt,
    "GreaterThanOrEqualExpression": operator.ge,
    "LessThanExpression": operator.lt,
    **TEXTS,
}


def binary(kind: str, left: Any, right: Any) -> Any:
    """Apply an operator. With null on either side the result is null, which no ``where`` lets
    pass."""
    if left is None or right is None:
        return None
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if (
        kind not in TEXTS
        and not numbers
        and type(left) is not type(right)
        and not isinstance(left, datetime)
    ):
        raise NotSupportedError(f"{kind} of {left!r} and {right!r}")
    return BINARY[kind](left, right)


def element(value: Any, key: str | int) -> Any:
    """Return an element of a dynamic value; null if there is none."""
    if isinstance(key, int):
        return value[key] if isinstance(value, list) and key < len(value) else None
    return value.get(key) if isinstance(value, dict) else None
