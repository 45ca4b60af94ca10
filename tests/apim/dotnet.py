"""What .NET offers to our policy expressions, and no more.

The types that an expression may use:
https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#CLRTypes
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

MILLISECONDS = "yyyy-MM-ddTHH:mm:ss.fffZ"


class Unsupported(Exception):
    """Nothing is known of how API Management treats this, or nothing is written here yet."""


class Thrown(Exception):
    """The expression throws at run time."""


class JObject(dict[str, Any]):
    """Newtonsoft's JObject, which writes itself indented."""

    def __str__(self) -> str:
        return json.dumps(self, indent=2, ensure_ascii=False)


def _parse(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text) or not -(2**31) <= int(text) < 2**31:
        raise Thrown(f"int.Parse of {text!r}")
    return int(text)


@dataclass(frozen=True)
class Members:
    """A type with static members, or an object of which no more is known."""

    members: dict[str, Any]


def _is_match(text: str, pattern: str) -> bool:
    """.NET's patterns are Python's as far as we use them: classes, counts, lookahead, anchors on
    text of one line."""
    return re.search(pattern, text) is not None


def _format(moment: datetime) -> Callable[[str], str]:
    def to_string(form: str) -> str:
        if form != MILLISECONDS:
            raise Unsupported(f"DateTime.ToString({form!r})")
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

    return to_string


def _substring(text: str) -> Callable[[int, int], str]:
    def substring(start: int, length: int) -> str:
        if not 0 <= start <= start + length <= len(text):
            raise Thrown("ArgumentOutOfRangeException")
        return text[start : start + length]

    return substring


TYPES = {"string": str, "int": int}
STATIC = {"Regex": Members({"IsMatch": _is_match}), "int": Members({"Parse": _parse})}
CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "JObject": lambda *properties: JObject(properties),
    "JProperty": lambda name, value: (name, value),
}
MEMBERS: dict[type, dict[str, Callable[[Any], Any]]] = {
    str: {"Contains": lambda text: lambda part: part in text, "Substring": _substring},
    UUID: {"ToString": lambda guid: lambda form="D": {"D": str(guid), "N": guid.hex}[form]},
    datetime: {"ToString": _format},
    JObject: {"ToString": lambda found: lambda: str(found)},
    list: {
        "Contains": lambda items: lambda item: item in items,
        "FirstOrDefault": lambda items: (
            lambda test: next((item for item in items if test(item)), None)
        ),
        "Select": lambda items: lambda function: [function(item) for item in items],
    },
}


def member(holder: Any, name: str) -> Any:
    """Return a member of one of .NET's types above, or of an object that lists its own in
    ``members``."""
    if holder is None:
        raise Thrown(f"NullReferenceException: {name}")
    if type(holder) in MEMBERS and name in MEMBERS[type(holder)]:
        return MEMBERS[type(holder)][name](holder)
    listed = getattr(holder, "members", {})
    if name not in listed:
        raise Unsupported(f"C#: {type(holder).__name__}.{name}")
    return listed[name]
