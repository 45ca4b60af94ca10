"""How many predictions for the same rows agree, and what that says of rows that were not asked: an
exact interval decides, not the share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy import special

CHANCE = 0.01
"""How likely chance alone may lead to either verdict, at the limit of what is allowed."""

MAX_TIMES_MORE_ROWS = 64


class AgreementVerdict(StrEnum):
    AGREE = "agree"
    DIFFER = "differ"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Agreement:
    """The answers of two deployments to the same rows. ``rows``: those that the new one answered or
    refused; ``same``: how many of these agree.

    ``silent``: further rows, to which the new one has given no answer. ``left_out``: rows that the
    old one does not answer. ``unstable``: rows that the old one answers otherwise when asked again.
    ``where``: a sentence's part on which rows differ.
    """

    same: int
    rows: int
    silent: int = 0
    left_out: int = 0
    unstable: int = 0
    where: str = ""

    @property
    def different(self) -> int:
        return self.rows - self.same

    @property
    def asked(self) -> int:
        return self.rows + self.silent

    def limits(self) -> tuple[float, float]:
        """Return the least and the largest share of rows that differ by more than the old one
        differs from itself. A row without an answer may agree, and may not."""
        chance = CHANCE / 2 if self.unstable else CHANCE
        least = _lower(self.different, self.asked, chance)
        most = _upper(self.different + self.silent, self.asked, chance)
        if self.unstable:
            least -= _upper(self.unstable, self.asked, chance)
            most -= _lower(self.unstable, self.asked, chance)
        return max(least, 0.0), max(most, 0.0)

    def verdict(self, agreement: float) -> AgreementVerdict:
        """``agreement``: the share that must agree; 1 means all rows of this sample."""
        least, most = self.limits()
        if agreement >= 1:
            least, most = float(self.different > 0), float(self.different + self.silent > 0)
        allowed = round(1 - agreement, 9)
        if least > allowed:
            return AgreementVerdict.DIFFER
        return AgreementVerdict.AGREE if most <= allowed else AgreementVerdict.UNDECIDED

    def enough_rows(self, agreement: float) -> int | None:
        """Return about how many rows like these would decide; None if hardly any number would."""
        times = 2
        while times <= MAX_TIMES_MORE_ROWS:
            more = Agreement(times * self.same, times * self.rows, unstable=times * self.unstable)
            if more.verdict(agreement) is not AgreementVerdict.UNDECIDED:
                return more.rows
            times *= 2
        return None


def sentence(agreement: Agreement, wanted: float) -> str:
    """Say what was compared, which rows differ, and what to do if that is not enough. ``wanted``:
    the share that must agree."""
    verdict, (least, most) = agreement.verdict(wanted), agreement.limits()
    parts = [
        f"predictions agree on {agreement.same} of {agreement.asked} rows (at least {wanted:.0%} "
        f"wanted)"
    ]
    if agreement.different:
        parts.append(f"{least:.1%} to {most:.1%} differ, as far as these rows tell")
    if agreement.where:
        parts.append(agreement.where)
    if agreement.unstable:
        parts.append(f"the old one differs from itself on {agreement.unstable}")
    if agreement.silent:
        parts.append(f"the new one does not answer {agreement.silent}")
    if agreement.left_out:
        parts.append(f"{agreement.left_out} more were left out, as the old one did not answer them")
    if verdict is not AgreementVerdict.AGREE and not agreement.silent:
        if verdict is AgreementVerdict.UNDECIDED and (rows := agreement.enough_rows(wanted)):
            parts.append(f"about {rows} rows by --sample would decide")
        allow = math.floor(100 * (1 - most)) / 100
        parts.append(f"a model that is meant to differ so much needs --agreement {allow:g}")
    return "; ".join(parts)


def fewest_rows(agreement: float) -> int:
    """Return how many rows prove the agreement if all of them agree."""
    allowed = round(1 - agreement, 9)
    return 1 if allowed in (0, 1) else math.ceil(math.log(CHANCE) / math.log(1 - allowed))


def _lower(events: int, rows: int, chance: float) -> float:
    """Return Clopper and Pearson's lower limit of a share."""
    return float(special.betaincinv(events, rows - events + 1, chance)) if events else 0.0


def _upper(events: int, rows: int, chance: float) -> float:
    return (
        float(special.betaincinv(events + 1, rows - events, 1 - chance)) if events < rows else 1.0
    )
