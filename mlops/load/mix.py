"""Makes the requests of a load: four kinds by shares, from rows that the model is known to
answer."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson

from azureml_scoring.quantities import COUNT

LARGE_ROWS = 100
"""The default of SCORING_MAX_BATCH_SIZE, the service's limit."""

SEED = 7
SHARE = COUNT.within(0, 1_000_000)
"""The weight of a kind."""


class RequestKind(StrEnum):
    """A kind of request. GOOD: one row, different each time. CACHED: one row, always the same.
    LARGE: as many rows as the service takes. BAD: a request that it must refuse."""

    GOOD, CACHED, LARGE, BAD = "good", "cached", "large", "bad"


DEFAULT_SHARES = {
    RequestKind.GOOD: 70,
    RequestKind.CACHED: 20,
    RequestKind.LARGE: 5,
    RequestKind.BAD: 5,
}


def parse(text: str) -> dict[RequestKind, int]:
    """Read shares such as ``good=70,cached=20``; their sum does not matter. Raises ValueError,
    whose message says what to write."""
    shares: dict[RequestKind, int] = {}
    for part in text.split(","):
        kind, _, share = part.partition("=")
        try:
            shares[RequestKind(kind.strip())] = int(SHARE.parse(share))
        except ValueError:
            raise ValueError(
                f"give the mix as good=70,cached=20,large=5,bad=5: kinds, each with {SHARE}."
            ) from None
    if not any(shares.values()):
        raise ValueError("give at least one kind more than 0, as good=70,bad=5.")
    return shares


def as_it_should(kind: RequestKind, status: int) -> bool:
    """True if a request of this kind should get ``status``: the model's own, 0 for no answer."""
    refused = 400 <= status < 500 and status not in (408, 429)
    return refused if kind is RequestKind.BAD else status == 200


class Mix:
    """The requests made from ``rows``, by ``shares``; the same sequence each time."""

    def __init__(self, rows: Sequence[Sequence[Any]], shares: Mapping[RequestKind, int]) -> None:
        self._random = random.Random(SEED)  # noqa: S311
        self._rows = rows
        self._kinds, self._weights = list(shares), list(shares.values())
        self._count = 0

    def next(self) -> tuple[RequestKind, bytes]:
        (kind,) = self._random.choices(self._kinds, self._weights)
        return kind, self.body(kind)

    def body(self, kind: RequestKind) -> bytes:
        self._count += 1
        if kind is RequestKind.CACHED:
            return _body([self._rows[0]])
        if kind is RequestKind.LARGE:
            return _body([self._row() for _ in range(LARGE_ROWS)])
        if kind is RequestKind.BAD:
            row = self._row()
            return (b'{"data": [[', _body([[*row, *row]]), b'{"rows": []}')[self._count % 3]
        return _body([self._row()])

    def _row(self) -> list[Any]:
        """Return a row whose values come from different rows: of the right type and range, and
        hardly ever the same twice."""
        return [self._random.choice(self._rows)[place] for place in range(len(self._rows[0]))]


class Bodies:
    """The requests of ``bodies``, each GOOD: all of them in a random order, again and again; the
    same sequence each time."""

    def __init__(self, bodies: Sequence[str]) -> None:
        self._random = random.Random(SEED)  # noqa: S311
        self._bodies = [body.encode() for body in bodies]
        self._left: list[bytes] = []

    def next(self) -> tuple[RequestKind, bytes]:
        if not self._left:
            self._left = self._random.sample(self._bodies, len(self._bodies))
        return RequestKind.GOOD, self._left.pop()


def _body(rows: Sequence[Sequence[Any]]) -> bytes:
    return orjson.dumps({"data": rows})
