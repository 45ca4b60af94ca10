"""What is cached: the JSON of predictions and when it expires; sealed where it leaves the process.

A sealed value is data, never a pickle: version, expiry, checksum, JSON. The checksum covers the key
too, so that a value under another key is told apart. With a secret it is a signature: then nobody
else who may write to the store can put there what we would take. Without one it tells damage, and
what is no list of answers is not taken either way.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

import orjson

VERSION = b"ams1"
HEADER = struct.Struct("<4sd16s")

LONGEST = 10_000_000
"""Bytes of JSON that are stored, or parsed when read: parsing holds up every other request of the
process."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``predictions``: JSON; ``expires``: seconds since the epoch."""

    predictions: bytes
    expires: float


class Corrupt(Exception):
    """The value is damaged, or was not written by us under this key."""


class Unavailable(Exception):
    """A tier can't be asked right now."""


class Seal:
    """``secret``: the same in all workers and pods that share a store; None where it is trusted."""

    def __init__(self, secret: str | None = None) -> None:
        self._key = hashlib.blake2b(secret.encode()).digest() if secret else b""

    def close(self, key: bytes, entry: Entry) -> bytes:
        return HEADER.pack(VERSION, entry.expires, self._checksum(key, entry)) + entry.predictions

    def open(self, key: bytes, value: bytes, rows: int | None) -> Entry:
        """``rows``: how many answers there must be; None where it is the answer to one row. Raises
        Corrupt."""
        try:
            version, expires, checksum = HEADER.unpack_from(value)
        except struct.error:
            raise Corrupt from None
        entry = Entry(value[HEADER.size :], expires)
        if version != VERSION or not hmac.compare_digest(checksum, self._checksum(key, entry)):
            raise Corrupt
        if not _are_answers(entry.predictions, rows):
            raise Corrupt
        return entry

    def _checksum(self, key: bytes, entry: Entry) -> bytes:
        parts = struct.pack("<Qd", len(key), entry.expires) + key + entry.predictions
        return hashlib.blake2b(parts, digest_size=16, key=self._key).digest()


def _are_answers(predictions: bytes, rows: int | None) -> bool:
    if len(predictions) > LONGEST:
        return False
    try:
        answers = orjson.loads(predictions)
    except orjson.JSONDecodeError:
        return False
    return rows is None or (isinstance(answers, list) and len(answers) == rows)
