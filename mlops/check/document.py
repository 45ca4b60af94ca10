"""Reads a YAML file with the line of each key, and describes problems at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from azureml_scoring.models.files.bounded_yaml import Loader

Key = tuple[str | int, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """A mistake at a key, and what to write instead, as one sentence. Lines count from 1."""

    path: Path
    line: int
    key: Key
    wrong: str
    instead: str

    def __str__(self) -> str:
        sentence = f"{'.'.join(map(str, self.key))} {self.wrong}; {self.instead}."
        return f"{self.path}:{self.line}: {' '.join(sentence.split())}"


class UnreadableDocument(Exception):
    """The file is not YAML that can be checked; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Document:
    """The content of a YAML file.

    ``lines`` holds the line of each key of ``data``, ``twice`` the keys that occur repeatedly.
    """

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[Key, int]
    twice: tuple[Key, ...] = ()

    def value(self, *key: str | int) -> Any:
        """Return the value at ``key``, or None."""
        value: Any = self.data
        for part in key:
            if isinstance(value, dict) and part in value:
                value = value[part]
            else:
                return None
        return value

    def typed(self, kind: type[T], *key: str | int) -> T | None:
        """Return the value if it is of that type, else None: the schema reports wrong types.

        A boolean is not a number here.
        """
        value = self.value(*key)
        is_typed = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
        return value if is_typed else None

    def problem(self, key: Key, wrong: str, instead: str) -> Problem:
        """Describe a problem at the line of ``key``, or of its nearest parent that exists."""
        at = key
        while at and at not in self.lines:
            at = at[:-1]
        return Problem(self.path, self.lines.get(at, 1), key, wrong, instead)

    def beside(self, path: str) -> Path:
        """Resolve a path of the file, which is relative to the file's folder."""
        return self.path.parent / path


def read(path: Path) -> Document:
    """Read a file. Raises UnreadableDocument if it is not a YAML mapping."""
    try:
        loader = Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        data = node and loader.construct_document(node)
    except (OSError, ValueError) as error:
        raise UnreadableDocument(
            Problem(path, 1, (), f"can't be read ({error})", "save it as UTF-8 text")
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line = mark.line + 1 if mark else 1
        raise UnreadableDocument(
            Problem(path, line, (), f"is not valid YAML ({why})", "correct it")
        ) from None
    if not isinstance(data, dict) or not isinstance(node, yaml.MappingNode):
        raise UnreadableDocument(Problem(path, 1, (), "holds no keys", "write `key: value` lines"))
    lines: dict[Key, int] = {}
    twice = tuple(_walk(node, (), lines, set()))
    return Document(path, data, lines, twice)


def _walk(node: yaml.Node, at: Key, lines: dict[Key, int], seen: set[int]) -> Iterator[Key]:
    """Fill ``lines`` and yield the repeated keys, of which YAML silently takes the last."""
    if id(node) in seen:  # an alias, perhaps to its own parent
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            key = (*at, str(name.value))
            if key in lines:
                yield key
            lines[key] = name.start_mark.line + 1
            yield from _walk(value, key, lines, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*at, index)] = value.start_mark.line + 1
            yield from _walk(value, (*at, index), lines, seen)
