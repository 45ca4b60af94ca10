"""A Terraform module as python-hcl2 reads it, and what its expressions refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

INFRASTRUCTURE = Path(__file__).parents[2] / "infrastructure"
READING = hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False)

EXPRESSION = re.compile(r"\$\{(.*)\}", re.DOTALL)
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
REFERENCE = re.compile(
    r"(?<![\w.])(?:(?P<kind>var|local)\.(?P<name>\w+)|"
    r"(?P<data>data\.)?(?P<type>(?:azurerm|azapi)_\w+)\.(?P<label>\w+)(?:\[[^][]*\])?(?:\.(?P<attribute>\w+))?)"
)


def parse(text: str) -> dict[str, Any]:
    tree: dict[str, Any] = hcl2.loads(text, serialization_options=READING)
    return tree


@dataclass(frozen=True)
class Block:
    """``section``: resource or data."""

    section: str
    type: str
    label: str
    body: dict[str, Any]

    @property
    def address(self) -> str:
        return f"{'data.' if self.section == 'data' else ''}{self.type}.{self.label}"


class Module:
    """All ``.tf`` files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.trees = {path.name: parse(path.read_text()) for path in sorted(folder.glob("*.tf"))}

    def each(self, section: str) -> Iterator[dict[str, Any]]:
        """The blocks of a section in all files."""
        for tree in self.trees.values():
            yield from tree.get(section, [])

    def blocks(self) -> dict[str, Block]:
        """Resources and data by address."""
        found = [
            Block(section, kind, label, body)
            for section in ("resource", "data")
            for one in self.each(section)
            for kind, labelled in one.items()
            for label, body in labelled.items()
        ]
        return {block.address: block for block in found}

    def variables(self) -> dict[str, Any]:
        return {name: body for one in self.each("variable") for name, body in one.items()}

    def locals(self) -> dict[str, Any]:
        return {name: value for one in self.each("locals") for name, value in one.items() if name != "__is_block__"}

    def outputs(self) -> dict[str, Any]:
        return {name: body for one in self.each("output") for name, body in one.items()}

    def references(self) -> Iterator[re.Match[str]]:
        """Of all expressions; those to ``each``, ``path`` and the names of for-expressions are left out."""
        for tree in self.trees.values():
            for expression in expressions(tree):
                yield from REFERENCE.finditer(without_text(expression))


def expressions(tree: object) -> Iterator[str]:
    """Each ``${...}`` of a tree, without its braces; keys can hold some too."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from expressions(key)
            yield from expressions(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from expressions(value)
    elif isinstance(tree, str) and "${" in tree:
        yield tree


def without_text(expression: str) -> str:
    """What is between quotes refers to nothing, except inside ``${}``."""
    inside = EXPRESSION.fullmatch(expression)
    code = inside[1] if inside else expression

    def keep(text: re.Match[str]) -> str:
        return " ".join(re.findall(r"(?<!\$)\$\{([^}]*)\}", text[0])) if "${" in text[0] else '""'

    return TEXT.sub(keep, code)
