"""What a rollout demands of the new deployment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mlops.slo import Slo


@dataclass(frozen=True)
class Rules:
    """What is demanded of the new deployment. ``requests``: how many each deployment must have had
    before anything is fine. ``slower_by``, ``slower_by_ms``: how much slower than the old one it
    may be, as a share and on top of that. ``agreement``: share of equal predictions.

    ``chance``: how often a check may take chance for a breach in a step. ``suspicion``: p-value
    below which a check is not fine. ``block_s``: latencies are compared by blocks of this length.
    ``min_blocks``: fewer do not show how much they differ by chance. ``warm_up_s``: for how long
    the first requests may be slow.
    """

    slo: Slo = field(default_factory=Slo)
    requests: int = 500
    slower_by: float = 0.25
    slower_by_ms: float = 10
    agreement: float = 0.95
    chance: float = 0.001
    suspicion: float = 0.05
    block_s: float = 30
    min_blocks: int = 4
    warm_up_s: float = 60

    def paced(self, hold_s: float) -> Rules:
        """Adapt to shares that are held for less than so many blocks."""
        return replace(
            self,
            min_blocks=min(self.min_blocks, int(hold_s // self.block_s)),
            warm_up_s=min(self.warm_up_s, hold_s / 5),
        )
