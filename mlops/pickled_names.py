"""Records which classes and functions a pickle names, by Python's own audit events."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_recordings = list[set[tuple[str, str]]]()


@contextmanager
def recorded() -> Iterator[set[tuple[str, str]]]:
    """Yield the set of (module, name), which grows while pickles are loaded inside the block."""
    _install()
    names = set[tuple[str, str]]()
    _recordings.append(names)
    try:
        yield names
    finally:
        _recordings.remove(names)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        for names in _recordings:
            names.add((str(arguments[0]), str(arguments[1])))


@functools.cache
def _install() -> None:
    """Install the hook, once: Python can't remove one."""
    sys.addaudithook(_hook)
