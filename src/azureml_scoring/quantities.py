"""The quantities that settings and commands take, each defined once with its unit and bounds.

Numbers are written in plain digits, such as ``200``, ``0.5`` or ``1e3``. NaN, infinity, underscores
and the digits of other scripts are refused, as are sizes that no clock, socket or memory has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

NUMBER_PATTERN = re.compile(
    r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE
)
WHOLE_PATTERN = re.compile(r"[+-]?\d{1,30}", re.ASCII)


@dataclass(frozen=True)
class Quantity:
    """Numbers from ``least`` to ``most``, both included unless ``above`` or ``below`` is set.

    ``unit``: its name in a command's help; ``noun``: its name in an error.
    """

    unit: str
    noun: str
    most: float
    least: float = 0
    whole: bool = False
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        low = f"above {self.least:,}" if self.above else f"from {self.least:,}"
        if self.below:
            return f"{self.noun} {low} and below {self.most:,}"
        return f"{self.noun} {low} {'and up ' * self.above}to {self.most:,}"

    def within(
        self, least: float, most: float | None = None, *, above: bool = False, below: bool = False
    ) -> Quantity:
        """Return the same quantity with other bounds."""
        return replace(
            self, least=least, most=self.most if most is None else most, above=above, below=below
        )

    def parse(self, value: object) -> float:
        """Parse a text or number; return an int if ``whole``. Raises ValueError."""
        text = str(value).strip()
        if not (WHOLE_PATTERN if self.whole else NUMBER_PATTERN).fullmatch(text):
            raise ValueError(f"give {self}")
        number = int(text) if self.whole else float(text)
        low = number > self.least if self.above else number >= self.least
        high = number < self.most if self.below else number <= self.most
        if not (low and high):
            raise ValueError(f"give {self}")
        return number


DAY_S = 24 * 60 * 60

MILLISECONDS = Quantity("milliseconds", "a number of milliseconds", 1000 * DAY_S, above=True)
SECONDS = Quantity("seconds", "a number of seconds", DAY_S)
MINUTES = Quantity("minutes", "a number of minutes", 31 * 24 * 60)
SHARE = Quantity("share", "a share", 1)
PERCENT = Quantity("percent", "a percentage", 100)
PER_SECOND = Quantity("per-second", "a number of requests a second", 1_000_000)
MEBIBYTES = Quantity("MiB", "a number of MiB", 2**24)
INDEX = Quantity("index", "a stability index", 1000)

COUNT = Quantity("count", "a whole number", 10**9, least=1, whole=True)
BYTES = Quantity("bytes", "a whole number of bytes", 2**50, least=1, whole=True)
WORKERS = Quantity("workers", "a whole number of worker processes", 1000, least=1, whole=True)
PORT = Quantity("port", "a port number", 65535, least=1, whole=True)
PROCESS_ID = Quantity("process-id", "a process id", 2**31 - 1, least=1, whole=True)

WHOLE_MILLISECONDS = Quantity(
    "milliseconds", "a whole number of milliseconds", MILLISECONDS.most, least=1, whole=True
)
WHOLE_MINUTES = Quantity("minutes", "a whole number of minutes", MINUTES.most, least=1, whole=True)
WHOLE_PERCENT = Quantity("percent", "a whole percentage", PERCENT.most, whole=True)
WHOLE_SECONDS = Quantity("seconds", "a whole number of seconds", 10**9, least=1, whole=True)
