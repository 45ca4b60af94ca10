"""Cached values: the JSON of predictions and its expiry, sealed before it leaves the process.

A sealed value is data, never a pickle: version, expiry, checksum, JSON. The checksum covers the key
too, so that a value under another key is detected. With a secret it is a signature: nobody else who
may write to the store can make a value that we accept. Without one it detects damage. Either way,
JSON that is not a list of answers is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

import orjson

VALUE_VERSION = b"ams1"
VALUE_HEADER = struct.Struct("<4sd16s")

MAX_JSON_BYTES = 10_000_000
"""Longest JSON that is stored, or parsed when read: parsing holds up every other request of the
process."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Predictions as JSON; ``expires`` in seconds since the epoch."""

    predictions: bytes
    expires: float


class Corrupt(Exception):
    """The value is damaged, or was not written by us under this key."""


class Unavailable(Exception):
    """The tier can't answer right now."""


class Seal:
    """Seals values and opens sealed ones.

    ``secret``: the same in all workers and pods that share a store; None if the store is trusted.
    """

    def __init__(self, secret: str | None = None) -> None:
        self._key = hashlib.blake2b(secret.encode()).digest() if secret else b""

    def close(self, key: bytes, entry: Entry) -> bytes:
        checksum = self._checksum(key, entry)
        return VALUE_HEADER.pack(VALUE_VERSION, entry.expires, checksum) + entry.predictions

    def open(self, key: bytes, value: bytes, rows: int | None) -> Entry:
        """Return the entry of a sealed value. Raises Corrupt.

        ``rows``: how many answers its JSON must list; None: it is the answer to one row.
        """
        try:
            version, expires, checksum = VALUE_HEADER.unpack_from(value)
        except struct.error:
            raise Corrupt from None
        entry = Entry(value[VALUE_HEADER.size :], expires)
        if version != VALUE_VERSION or not hmac.compare_digest(
            checksum, self._checksum(key, entry)
        ):
            raise Corrupt
        if not _are_answers(entry.predictions, rows):
            raise Corrupt
        return entry

    def _checksum(self, key: bytes, entry: Entry) -> bytes:
        parts = struct.pack("<Qd", len(key), entry.expires) + key + entry.predictions
        return hashlib.blake2b(parts, digest_size=16, key=self._key).digest()


def _are_answers(predictions: bytes, rows: int | None) -> bool:
    if len(predictions) > MAX_JSON_BYTES:
        return False
    try:
        answers = orjson.loads(predictions)
    except orjson.JSONDecodeError:
        return False
    return rows is None or (isinstance(answers, list) and len(answers) == rows)
