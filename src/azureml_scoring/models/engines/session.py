"""What every engine of a compiled model is like."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Session(Protocol):
    """The part of ``onnxruntime.InferenceSession`` that is used."""

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Compute one output, by its name in the graph, from one input of floats, (rows, width)."""
