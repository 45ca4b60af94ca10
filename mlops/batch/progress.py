"""How far a job is."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mlops.batch.inputs import InputFile


class Bar:
    """Shows the share of all bytes, the time left, rows and rows a second."""

    def __init__(self, files: Sequence[InputFile]) -> None:
        self._sizes = {file.path: file.size for file in files}
        self._shares = dict.fromkeys(self._sizes, 0.0)
        self._rows = 0
        self._started = time.monotonic()
        self.shown: Any = click.progressbar(
            length=max(sum(self._sizes.values()), 1),
            label="Scoring",
            file=sys.stderr,
            item_show_func=lambda _: self._speed(),
        )

    def advance(self, path: Path, rows: int, share: float) -> None:
        self._rows += rows
        self.shown.update(int((share - self._shares[path]) * self._sizes[path]))
        self._shares[path] = share

    def _speed(self) -> str:
        a_second = self._rows / max(time.monotonic() - self._started, 1e-3)
        return f"{self._rows:,} rows, {a_second:,.0f} rows/s"
