"""What packaging measured of the engines that are proven, and which of them answers a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

EngineName = Literal["numpy", "onnxruntime", "booster", "estimator"]
"""What may compute answers: the graph, by numpy or by ONNX Runtime; a booster's own library,
without its wrapper; the estimator itself."""


@dataclass(frozen=True)
class Race:
    """The engines' times, and the winners.

    rows: the sizes of the batches that were timed.
    microseconds: engine -> the time of a batch of each size.
    small: the engine of batches of fewer rows than ``large_from``.
    large: the engine of all others, which may be the same one.
    """

    rows: tuple[int, ...]
    microseconds: dict[EngineName, tuple[float, ...]]
    small: EngineName
    large: EngineName
    large_from: int = 1

    def without_estimator(self) -> Race:
        """Return the race as the compiled engine would have won it alone."""
        if self.small == "estimator":
            return replace(self, small=self.large)
        return replace(self, large=self.small) if self.large == "estimator" else self
