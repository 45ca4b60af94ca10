"""The limits of a request's body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azureml_scoring.errors import EmptyBody, PayloadTooLarge

if TYPE_CHECKING:
    from azureml_scoring.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a request. ``max_bytes``: of the decompressed body; ``max_elements``: all
    values."""

    max_bytes: int = 10_000_000
    max_depth: int = 32
    max_elements: int = 100_000
    max_rows: int = 100
    max_features: int = 1_000

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            settings.scoring_max_bytes,
            settings.scoring_max_depth,
            settings.scoring_max_elements,
            settings.scoring_max_batch_size,
            settings.scoring_max_features,
        )

    @property
    def max_parts(self) -> int:
        """Most lists, objects and commas of a document within the other limits. It is twice as much
        as the data needs, because of a DataFrame's index."""
        return 2 * (self.max_elements + self.max_rows + self.max_features) + 100

    def check_body(self, body: bytes) -> None:
        """Raise PayloadTooLarge or EmptyBody."""
        self.check_bytes(len(body))
        if not body:
            raise EmptyBody("Request body is empty or None", "")

    def check_bytes(self, count: int) -> None:
        if count > self.max_bytes:
            raise PayloadTooLarge(f"Request payload too large (>{self.max_bytes / 1_000_000:g}MB)")
