"""Chooses the media type of an answer by the header Accept.

https://www.rfc-editor.org/rfc/rfc9110#field.accept
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from azureml_scoring.errors import NotAcceptable
from azureml_scoring.inputs.media_types import ARROW, JSON
from azureml_scoring.outputs.encoders import offered

PLAIN = ("*/*", None, JSON)
"""What nearly all clients send: JSON, without a closer look."""

MAX_READ_CHARS = 1_000
"""The rest of a header is not read: it would cost more than the answer."""

MEDIA_RANGE = re.compile(r"[^/\s]+/[^/\s]+")
WEIGHT = re.compile(r"\d(\.\d*)?|\.\d+", re.ASCII)
"""Java's HttpURLConnection writes ``q=.2``."""


@functools.lru_cache(maxsize=64)
def negotiated(accept: str) -> str:
    """Return the media type that the client likes best: JSON if it likes others no better, or if
    nothing in the header can be read. Raises NotAcceptable if it takes none of ours."""
    weights = _weights(accept[:MAX_READ_CHARS])
    if not weights:
        return JSON
    types = offered()
    preferences = {media_type: _preference(media_type, weights) for media_type in types}
    best = max(types, key=preferences.__getitem__)
    if not preferences[best][0]:
        advice = f"Name {', '.join(types)} in the header Accept, or leave it out for JSON"
        if ARROW not in types:
            advice += "; for Arrow and Parquet, add pyarrow to the environment of the service"
        raise NotAcceptable(f"{advice}.")
    return best


def _weights(accept: str) -> dict[str, float]:
    """Return the weight of each media range; malformed ones are left out."""
    weights = {}
    for part in accept.lower().split(","):
        media_range, *parameters = [text.strip() for text in part.split(";")]
        pairs = [parameter.partition("=") for parameter in parameters]
        weight = next((value.strip() for name, _, value in pairs if name.strip() == "q"), "1")
        if MEDIA_RANGE.fullmatch(media_range) and WEIGHT.fullmatch(weight):
            weights[media_range] = float(weight)
    return weights


def _preference(media_type: str, weights: Mapping[str, float]) -> tuple[float, int]:
    """Return the weight of the closest range that includes the type, and how close it is."""
    family = media_type.partition("/")[0]
    for closeness, media_range in ((2, media_type), (1, f"{family}/*"), (0, "*/*")):
        if media_range in weights:
            return weights[media_range], closeness
    return 0.0, 0
