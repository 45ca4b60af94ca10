"""Reads a pickle of another scikit-learn for its structure: steps, columns, fitted numbers.

What is read so need not answer like the estimator, nor answer at all: classes may have moved, and
states changed. It is only compiled, and the compiled form is compared with the estimator's answers.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyUnpickler

from mlops.isolated import old_states


def read(file: Path) -> Any:
    """Unpickle the file, as far as this scikit-learn can. It may raise anything."""
    with _lenient(), warnings.catch_warnings(action="ignore"):
        content = joblib.load(file)
        objects = list(_objects(content, set()))
        for thing in objects:
            old_states.use_plain_tree(thing)
        for thing in objects:
            old_states.bring_up_to_date(thing)
    return content


def _objects(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Yield all objects with attributes that a thing consists of."""
    if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
        return
    seen.add(id(thing))
    inside: Iterable[Any] = ()
    if isinstance(thing, list | tuple):
        inside = thing
    elif isinstance(thing, dict):
        inside = thing.values()
    elif isinstance(thing, np.ndarray) and thing.dtype == object:
        inside = thing.ravel().tolist()
    elif hasattr(thing, "__dict__"):
        yield thing
        inside = vars(thing).values()
    for other in list(inside):
        if not isinstance(other, str | int | float | None):
            yield from _objects(other, seen)


class Unknown:
    """In place of an object whose class is not here, or is another one now."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        with suppress(TypeError, ValueError):
            vars(self).update(state)

    def __reduce__(self) -> tuple[type[Unknown], tuple[()]]:
        return Unknown, ()


@contextmanager
def _lenient() -> Iterator[None]:
    """Let joblib find something in place of each class or function that is not here."""

    def find_class(self: Any, module: str, name: str) -> Any:
        return _found(functools.partial(original, self), module, name)

    original = NumpyUnpickler.find_class
    NumpyUnpickler.find_class = find_class
    try:
        yield
    finally:
        del NumpyUnpickler.find_class  # it inherits the original


def _found(find: Callable[[str, str], Any], module: str, name: str) -> Any:
    if (module, name) == ("sklearn.tree._tree", "Tree"):
        return old_states.OldTree
    try:
        thing = find(module, name)
    except (ImportError, AttributeError):
        return type(name, (Unknown,), {})
    # Cython's, which refuse the state of a class that has changed.
    return functools.partial(_or_unknown, thing) if name.startswith("__pyx_unpickle") else thing


def _or_unknown(unpickle: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return unpickle(*arguments)
    except Exception:  # checksums that differ, or attributes
        return Unknown()
