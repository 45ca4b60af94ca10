"""What is cached: the JSON of predictions and when it expires; sealed where it leaves the process.

A sealed value is data, never a pickle: version, expiry, checksum, JSON. The checksum covers the key too, so that a
value under another key is told apart. It guards against damage, not against those who may write to the store.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

VERSION = b"ams1"
HEADER = struct.Struct("<4sd16s")


@dataclass(frozen=True, slots=True)
class Entry:
    """``predictions``: JSON; ``expires``: seconds since the epoch."""

    predictions: bytes
    expires: float


class Corrupt(Exception):
    """The value is damaged, or was not written by us under this key."""


class Unavailable(Exception):
    """A tier can't be asked right now."""


def seal(key: bytes, entry: Entry) -> bytes:
    return HEADER.pack(VERSION, entry.expires, _checksum(key, entry)) + entry.predictions


def unseal(key: bytes, value: bytes) -> Entry:
    """Raises Corrupt."""
    try:
        version, expires, checksum = HEADER.unpack_from(value)
    except struct.error:
        raise Corrupt from None
    entry = Entry(value[HEADER.size :], expires)
    if version != VERSION or checksum != _checksum(key, entry):
        raise Corrupt
    return entry


def _checksum(key: bytes, entry: Entry) -> bytes:
    parts = struct.pack("<Qd", len(key), entry.expires) + key + entry.predictions
    return hashlib.blake2b(parts, digest_size=16).digest()
