"""Refuses a body in which an object has a key twice: the parser keeps the last of both, and nobody
knows which of them is meant.

The keys that are left after parsing are counted against the colons of the body.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import numpy as np

from azureml_scoring.errors import WrongFeatures
from azureml_scoring.inputs.body_bounds import PIECE_BYTES, MarksOutsideStrings, all_but
from azureml_scoring.inputs.envelopes import ENVELOPES

COLON = ord(":")
NO_COLONS = all_but(b'":')

MAX_PLACED_BYTES = 8_192
"""Of a larger body the object with a key twice is not named: Python's own parser, which finds it,
takes milliseconds for the small objects in as many bytes, and the event loop waits."""

CONTAINERS = {dict, list}


class _Repeated(dict[str, Any]):
    """An object with a key twice."""


def check_unique(body: bytes, keys: int, document: Any) -> None:
    """Raise WrongFeatures if an object has a key twice.

    ``body``: valid JSON; ``document``: what it holds; ``keys``: how many keys the objects there
    have, or fewer if some were not counted.
    """
    if has_keys(body, keys) or _colons_outside_strings(body) == _count_keys(document):
        return
    raise WrongFeatures("An object names a key more than once; name each key once.", _place(body))


def has_keys(body: bytes, keys: int) -> bool:
    """Tell whether the objects of a body name so many keys; ``keys``: not more than they do."""
    return colons(body) == keys or _colons_outside_strings(body) == keys


def colons(body: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == COLON))


def _colons_outside_strings(body: bytes) -> int:
    """Count them; there is one after each key."""
    outside_strings = MarksOutsideStrings(NO_COLONS)
    return sum(
        outside_strings.filter(body[start : start + PIECE_BYTES]).count(b":")
        for start in range(0, len(body), PIECE_BYTES)
    )


def _count_keys(document: Any) -> int:
    """Count the keys of all objects, level by level: no Python call for each of them."""
    keys = 0
    level = [document]
    while level:
        keys += sum(len(each) for each in level if type(each) is dict)
        children = chain.from_iterable(
            each.values() if type(each) is dict else each for each in level
        )
        level = [child for child in children if child and type(child) in CONTAINERS]
    return keys


def _place(body: bytes) -> str:
    """Return the pointer to the first object with a key twice; that to the document if the body is
    large."""
    if len(body) > MAX_PLACED_BYTES:
        return ""
    document = json.loads(
        body, object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str
    )
    return _place_of_repeated(document, "") or ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else _Repeated(plain)


def _place_of_repeated(value: Any, pointer: str) -> str | None:
    """Return the pointer to the first object with a key twice, or to what holds it under a key that
    is not ours; None if there is none."""
    if isinstance(value, _Repeated):
        return pointer
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        if isinstance(child, dict | list):
            named = isinstance(key, int) or key in ENVELOPES
            place = _place_of_repeated(child, f"{pointer}/{key}")
            if place is not None:
                return place if named else pointer
    return None
