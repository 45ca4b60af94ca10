"""A Terraform module as python-hcl2 reads it, and what its expressions refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

INFRASTRUCTURE = Path(__file__).parents[2] / "infrastructure"
ROOTS = (INFRASTRUCTURE, INFRASTRUCTURE / "global")
"""One region, and what regions share."""

READING = hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False)

REFERENCE = re.compile(
    r"(?<![\w.])(?:(?P<kind>var|local)\.(?P<name>\w+)|"
    r"(?P<data>data\.)?(?P<type>(?:azurerm|azapi|time)_\w+|terraform_data)\.(?P<label>\w+)(?:\[[^][]*\])?(?:\.(?P<attribute>\w+))?)"
)


@cache
def parse(text: str) -> dict[str, Any]:
    """Return the tree, which all callers share: hcl2 takes a second for a file."""
    tree: dict[str, Any] = hcl2.loads(text, serialization_options=READING)
    return tree


@dataclass(frozen=True)
class Block:
    """A block. ``section``: resource or data."""

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
        """Return resources and data by address."""
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
        return {
            name: value
            for one in self.each("locals")
            for name, value in one.items()
            if name != "__is_block__"
        }

    def outputs(self) -> dict[str, Any]:
        return {name: body for one in self.each("output") for name, body in one.items()}

    def references(self) -> Iterator[re.Match[str]]:
        """Return the references of all expressions, but those to ``each``, ``path``, names of
        for-expressions, and what is moved or removed."""
        for tree in self.trees.values():
            for text in texts(
                {name: part for name, part in tree.items() if name not in ("moved", "removed")}
            ):
                yield from REFERENCE.finditer(code(text))


def texts(tree: object) -> Iterator[str]:
    """All of a tree; keys too, as they can hold expressions."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from texts(key)
            yield from texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from texts(value)
    elif isinstance(tree, str):
        yield tree


def code(template: str) -> str:
    """What is inside ``${}``, without the texts in it, but with what is inside ``${}`` in those."""
    kept, inside, at = [], [False], 0
    while at < len(template):
        character, opening = template[at], template[at : at + 2] in ("${", "%{")
        if inside[-1]:
            if character in '"{':
                inside.append(character == "{")
            elif character == "}":
                inside.pop()
            kept.append(" " if character == '"' else character)
        elif template.startswith("$${", at):
            at += 2
        elif opening:
            inside.append(True)
            at += 1
        elif character == "\\":
            at += 1
        elif character == '"' and len(inside) > 1:
            inside.pop()
        at += 1
    return "".join(kept)
