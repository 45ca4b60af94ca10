"""Says in a few words why skl2onnx does not convert an estimator."""

from __future__ import annotations

import re

MAX_CHARS = 120
"""Of the converter's own message."""

UNKNOWN_CLASS = re.compile(r"for type '?<class '[\w.]*?(\w+)'>")


class NoConverter(Exception):
    """A converter does not know a form of its estimator; the message names the form."""


def why(error: Exception) -> str:
    """Return the reason of an error that a converter raised."""
    text = str(error)
    if isinstance(error, NoConverter):
        return f"there is no ONNX converter for {text}"
    if unknown := UNKNOWN_CLASS.search(text):
        return f"there is no ONNX converter for {unknown[1]}"
    sentence = text.strip().partition("\n")[0].partition(". ")[0].rstrip(".")
    return f"skl2onnx can't convert it ({type(error).__name__}: {sentence[:MAX_CHARS]})"
