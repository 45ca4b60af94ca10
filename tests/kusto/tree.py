"""The parser's tree without what only separates: keywords, punctuation, wrappers."""

from __future__ import annotations

from typing import Any, NamedTuple

NAMES = {"NameReference", "NameDeclaration"}


class Node(NamedTuple):
    """A leaf has ``text`` and no children."""

    kind: str
    children: tuple[Node, ...] = ()
    text: str = ""

    def of(self, kind: str) -> list[Node]:
        return [child for child in self.children if child.kind == kind]


def _text(raw: list[Any]) -> str:
    text: str = raw[1] if isinstance(raw[1], str) else _text(raw[1])
    return text


def _separates(raw: list[Any]) -> bool:
    return isinstance(raw[1], str) and raw[0].endswith(("Token", "Keyword"))


def simplified(raw: list[Any]) -> Node:
    """``raw``: ``[kind, *children]``, or ``[kind, text]``."""
    kind, *children = raw
    if kind in NAMES or kind == "OrderingClause" or kind.endswith("LiteralExpression"):
        return Node(kind, text=_text(raw))
    kept = tuple(simplified(child) for child in children if not _separates(child))
    return kept[0] if kind == "SeparatedElement" else Node(kind, kept)
