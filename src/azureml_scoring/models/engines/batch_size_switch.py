"""Lets one engine compute small batches, and another one large batches."""

from __future__ import annotations

import numpy as np

from azureml_scoring.models.engines.session import Session


class BatchSizeSwitch:
    """``large`` computes batches of ``large_from`` rows and more, ``small`` all others."""

    def __init__(self, small: Session, large: Session, large_from: int) -> None:
        self.small = small
        self.large = large
        self.large_from = large_from

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        (X,) = inputs.values()
        engine = self.small if len(X) < self.large_from else self.large
        return engine.run(outputs, inputs)
