"""Refuses a body in which an object has a key twice: the parser keeps the last of both, and nobody
knows which of them is meant.

The keys that are left after parsing are counted against the colons of the body.
"""

from __future__ import annotations

import json
from typing import Any

from azureml_scoring.errors import WrongFeatures
from azureml_scoring.inputs.body_bounds import PIECE_BYTES, MarksOutsideStrings, all_but
from azureml_scoring.inputs.envelopes import ENVELOPES

NO_COLONS = all_but(b'":')


class _Repeated(dict[str, Any]):
    """An object with a key twice."""


def check_unique(body: bytes, keys: int) -> None:
    """Raise WrongFeatures if an object has a key twice. ``body``: valid JSON; ``keys``: how many
    keys its objects have after parsing; fewer if some were not counted."""
    if body.count(b":") == keys or _colons(body) == keys:
        return
    document = json.loads(
        body, object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str
    )
    place = _place_of_repeated(document, "")
    if place is not None:
        raise WrongFeatures("An object names a key more than once; name each key once.", place)


def _colons(body: bytes) -> int:
    """Count the colons outside of strings, one after each key."""
    outside_strings = MarksOutsideStrings(NO_COLONS)
    return sum(
        outside_strings.filter(body[start : start + PIECE_BYTES]).count(b":")
        for start in range(0, len(body), PIECE_BYTES)
    )


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
            place = _place_of_repeated(child, f"{pointer}/{key}" if named else pointer)
            if place is not None:
                return place
    return None
