"""Reads dates and times in ISO 8601, to the nanosecond."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

FIRST_YEAR, LAST_YEAR = "1678", "2261"
"""The years in which every moment is a 64-bit count of nanoseconds since 1970."""

ZERO_MOMENT = "0000-00-00T00:00:00.000000000"
MOMENT_LENGTHS = (
    *(len("0000-00-00"), len("0000-00-00T00:00"), len("0000-00-00T00:00:00")),
    *range(len("0000-00-00T00:00:00.0"), len(ZERO_MOMENT) + 1),
)
MOMENT_ENDINGS = {
    ZERO_MOMENT[:length].replace("T", separator): ZERO_MOMENT[length:]
    for length in MOMENT_LENGTHS
    for separator in "T "
}
"""ISO 8601, zeros for digits -> what is left out, down to the nanosecond. There is no time zone,
since the zone that the model was fitted in is not known."""

DIGITS_AS_ZEROS = str.maketrans("123456789", "000000000")


def moment(text: str) -> str | None:
    """Return a date or time with all digits down to the nanosecond, or None if it is invalid."""
    try:
        return moments([text])[0]
    except ValueError:
        return None


def moments(texts: Sequence[str]) -> list[str]:
    """Return dates and times, at least one, with all digits down to the nanosecond. Raises
    ValueError if one is invalid."""
    lines = "\n".join(texts)
    endings = list(map(MOMENT_ENDINGS.get, lines.translate(DIGITS_AS_ZEROS).split("\n")))
    if None in endings or min(texts) < FIRST_YEAR or max(texts)[: len(LAST_YEAR)] > LAST_YEAR:
        raise ValueError("A text is no moment.")
    np.array(texts, "datetime64[ns]")  # raises ValueError at a 13th month, or a text of two lines
    return list(map(operator.add, lines.replace(" ", "T").split("\n"), endings))
