"""A YAML file with the line of each key, and what may be wrong at one."""

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
    """One sentence: what is wrong and what to write instead. ``line`` counts from 1."""

    path: Path
    line: int
    key: Key
    wrong: str
    instead: str

    def __str__(self) -> str:
        sentence = f"{'.'.join(map(str, self.key))} {self.wrong}; {self.instead}."
        return f"{self.path}:{self.line}: {' '.join(sentence.split())}"


class Unreadable(Exception):
    """The file is no YAML that can be checked; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Document:
    """``lines`` holds the line of each key that ``data`` has, ``twice`` the keys that stand there
    more than once."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[Key, int]
    twice: tuple[Key, ...] = ()

    def value(self, *key: str | int) -> Any:
        """None where there is none."""
        found: Any = self.data
        for part in key:
            if isinstance(found, dict) and part in found:
                found = found[part]
            else:
                return None
        return found

    def typed(self, kind: type[T], *key: str | int) -> T | None:
        """The value if it is of that kind, else None: a wrong type is the schema's to tell. A
        boolean is no number."""
        found = self.value(*key)
        return (
            found if isinstance(found, kind) and isinstance(found, bool) == (kind is bool) else None
        )

    def problem(self, key: Key, wrong: str, instead: str) -> Problem:
        """At ``key``, or where that is missing, at what it would be part of."""
        at = key
        while at and at not in self.lines:
            at = at[:-1]
        return Problem(self.path, self.lines.get(at, 1), key, wrong, instead)

    def beside(self, path: str) -> Path:
        """Paths in a file are relative to its folder."""
        return self.path.parent / path


def read(path: Path) -> Document:
    """Raises Unreadable where the file is no YAML mapping."""
    try:
        loader = Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        data = node and loader.construct_document(node)
    except (OSError, ValueError) as error:
        raise Unreadable(
            Problem(path, 1, (), f"can't be read ({error})", "save it as UTF-8 text")
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line = mark.line + 1 if mark else 1
        raise Unreadable(
            Problem(path, line, (), f"is no YAML that can be read ({why})", "correct it")
        ) from None
    if not isinstance(data, dict) or not isinstance(node, yaml.MappingNode):
        raise Unreadable(Problem(path, 1, (), "holds no keys", "write `key: value` lines"))
    lines: dict[Key, int] = {}
    twice = tuple(_walk(node, (), lines, set()))
    return Document(path, data, lines, twice)


def _walk(node: yaml.Node, at: Key, lines: dict[Key, int], seen: set[int]) -> Iterator[Key]:
    """Fill ``lines``; -> the keys that stand there twice, of which YAML silently takes the last."""
    if id(node) in seen:  # an alias, perhaps to what it stands in
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
