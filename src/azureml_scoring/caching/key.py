"""Cache keys: two are equal exactly if model, method and canonical batch are (docs/adr/0004).

A key starts with a readable namespace, ``prefix:model:version:``, so that an operator can find and
remove the keys of one version.
"""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import numpy as np
import orjson

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Model

KEY_SCHEMA_VERSION = 1
"""Raise it whenever an equal request could mean something else, or the format of values changes."""

DIGEST_BYTES = 32
"""Long enough that nobody can make two requests collide, not even who knows the model."""


class KeyMaker:
    """Makes the keys of one model's batches."""

    def __init__(self, model: Model, prefix: str) -> None:
        self.model = model
        self._namespace = (
            f"{prefix}:{quote(model.name, safe='')}:{quote(model.version, safe='')}:".encode()
        )
        identity = [
            KEY_SCHEMA_VERSION,
            model.name,
            model.version,
            model.digest,
            model.contract.to_json(),
            model.runtime,
        ]
        self._seed = hashlib.blake2b(
            _delimited(orjson.dumps(identity)),
            key=bytes.fromhex(model.digest),
            digest_size=DIGEST_BYTES,
        )

    def of_batch(self, batch: Batch) -> bytes:
        """Return the key of the whole batch."""
        return self._key(batch, batch.X)

    def of_rows(self, batch: Batch) -> list[bytes]:
        """Return a key for each row. It does not depend on the batch that the row is in."""
        return [self._key(batch, row) for row in batch.X]

    def _key(self, batch: Batch, X: np.ndarray) -> bytes:
        digest = self._seed.copy()
        digest.update(_delimited(orjson.dumps([batch.method, X.dtype.str, X.shape])))
        if batch.params:
            digest.update(_delimited(batch.params))
        # The bytes of an object array are addresses, not values.
        digest.update(orjson.dumps(X.tolist()) if X.dtype == object else X.data)
        return self._namespace + base64.urlsafe_b64encode(digest.digest())


def _delimited(part: bytes) -> bytes:
    """Prefix a part with its length, so that no two sequences of parts give the same bytes."""
    return len(part).to_bytes(8, "little") + part
