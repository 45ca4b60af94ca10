"""Reads YAML within bounds: a small file can't become a huge document, and every failure is a
YAMLError.

YAML's aliases repeat what stands elsewhere: nine lines of nine aliases each stand for 387 million
values.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_CHARACTERS = 2 * 2**20
"""Characters of a document. All of our Kubernetes manifests together are a tenth of it."""

MAX_DEPTH = 100
MAX_VALUES = 100_000
"""Values of a document, with each alias counted as what it stands for."""

MAX_NUMBER_CHARACTERS = 100
"""Python refuses to print whole numbers of more than 4,300 digits."""

NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class Loader(yaml.SafeLoader):
    """YAML's safe loader, with bounds. It raises nothing but yaml.YAMLError."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise yaml.YAMLError(f"it is longer than {MAX_CHARACTERS:,} characters")
        super().__init__(text)
        self._depth = self._values = 0
        self._size: dict[int, int] = {}

    def compose_document(self) -> yaml.Node | None:
        self._size.clear()  # an id may belong to another node in the next document
        return super().compose_document()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        before = self._values
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"it is nested more than {MAX_DEPTH} deep")
        alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if alias and id(node) not in self._size:
            self._refuse("an alias stands inside of what it names")
        self._values += self._size[id(node)] if alias else 1
        if self._values > MAX_VALUES:
            self._refuse(f"it holds more than {MAX_VALUES:,} values")
        if (
            isinstance(node, yaml.ScalarNode)
            and node.tag in NUMBER_TAGS
            and len(node.value) > MAX_NUMBER_CHARACTERS
        ):
            self._refuse(f"a number has more than {MAX_NUMBER_CHARACTERS} digits")
        self._size[id(node)] = self._values - before
        self._depth -= 1
        return node

    def construct_document(self, node: yaml.Node) -> Any:
        try:
            return super().construct_document(node)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError):
            # The constructors rely on a value to match its tag.
            raise yaml.MarkedYAMLError(problem="a value is not of the kind of its tag") from None

    def _refuse(self, why: str) -> None:
        raise yaml.MarkedYAMLError(problem=why, problem_mark=self.get_mark())


def load(text: str) -> Any:
    """Parse the one document of ``text``. Raises yaml.YAMLError."""
    return yaml.load(text, Loader)  # noqa: S506  a safe loader


def load_all(text: str) -> list[Any]:
    """Parse all documents of ``text``. Raises yaml.YAMLError."""
    return list(yaml.load_all(text, Loader))
