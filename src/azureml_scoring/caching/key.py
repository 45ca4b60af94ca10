"""Cache keys: equal exactly where the model, the method and the canonical batch are equal
(docs/adr/0004).

A key starts with a readable name space, ``prefix:model:version:``, so that an operator can find and
remove a version's.
"""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import numpy as np
import orjson

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Model

SCHEMA = 1
"""To be raised whenever equal requests could come to mean something else, or values are written
otherwise."""

DIGEST_SIZE = 32
"""Bytes: collisions are out of reach even of those who know the model."""


class KeyMaker:
    """Makes the keys of one model's batches."""

    def __init__(self, model: Model, prefix: str) -> None:
        self.model = model
        self._namespace = (
            f"{prefix}:{quote(model.name, safe='')}:{quote(model.version, safe='')}:".encode()
        )
        identity = [
            SCHEMA,
            model.name,
            model.version,
            model.digest,
            model.contract.to_json(),
            model.runtime,
        ]
        self._seed = hashlib.blake2b(
            _delimited(orjson.dumps(identity)),
            key=bytes.fromhex(model.digest),
            digest_size=DIGEST_SIZE,
        )

    def of_batch(self, batch: Batch) -> bytes:
        """For the whole answer to a batch."""
        return self._key(batch.method, batch.X)

    def of_rows(self, batch: Batch) -> list[bytes]:
        """For each row's answer, the same in whatever batch the row stands."""
        return [self._key(batch.method, row) for row in batch.X]

    def _key(self, method: str, X: np.ndarray) -> bytes:
        digest = self._seed.copy()
        digest.update(_delimited(orjson.dumps([method, X.dtype.str, X.shape])))
        digest.update(
            orjson.dumps(X.tolist()) if X.dtype == object else X.data
        )  # objects' own bytes are addresses
        return self._namespace + base64.urlsafe_b64encode(digest.digest())


def _delimited(part: bytes) -> bytes:
    """Where a part ends is in it, so that no two sequences of parts give the same bytes."""
    return len(part).to_bytes(8, "little") + part
