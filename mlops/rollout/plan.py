"""The steps of a rollout, from a deployment without traffic to one with all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from azureml_scoring.client.headers import DEPLOYMENT_HEADER
from mlops.endpoint import Traffic
from mlops.rollout.hold import Hold


class Action(StrEnum):
    DEPLOY = "deploy"
    GOLDEN = "golden rows"
    MIRROR = "mirror"
    LIVE = "traffic"
    KEEP = "keep"
    DELETE = "delete"


COMPARING_ACTIONS = (Action.MIRROR, Action.LIVE, Action.KEEP)
"""While these last, both deployments score the same rows."""


class Check(StrEnum):
    """A check that needs rows to ask, and may be waived."""

    GOLDEN = "golden-rows"
    PREDICTIONS = "predictions"


class Inconclusive(StrEnum):
    """What to do about a share that too few requests came in to judge: give all traffic to the old
    deployment, hold the share until a person decides, or wait on."""

    BACK = "back"
    HOLD = "hold"
    WAIT = "wait"


@dataclass(frozen=True)
class Step:
    action: Action
    percent: int = 0

    def __str__(self) -> str:
        return f"{self.action} {self.percent} %" if self.percent else str(self.action)


@dataclass(frozen=True)
class Plan:
    """The steps from ``old`` to ``new``.

    ``hold_s``: how long each share is held at least. ``patience_s``: how long it is held for enough
    requests to judge it. ``keep_s``: how long the old deployment is kept then. ``control``: percent
    of the traffic that stays on it till the end of that, to compare requests of the same time.
    ``inconclusive``: what to do about a share that can't be judged by then. ``unchecked``: the
    waived checks.
    """

    old: str
    new: str
    steps: tuple[Step, ...]
    hold_s: float = 300
    patience_s: float = 3600
    keep_s: float = 1800
    control: int = 10
    inconclusive: Inconclusive = Inconclusive.BACK
    unchecked: tuple[Check, ...] = ()

    @property
    def back(self) -> Traffic:
        return Traffic({self.old: 100})

    @property
    def last(self) -> Step:
        """The last step that is judged. Only a deletion may follow it."""
        return next(step for step in reversed(self.steps) if step.action is not Action.DELETE)

    def traffic(self, step: Step) -> Traffic:
        """Return the traffic during ``step``."""
        if step.action is Action.MIRROR:
            return Traffic({self.old: 100}, {self.new: step.percent})
        share = min(100 if step.action is Action.KEEP else step.percent, self._most)
        return Traffic({self.old: 100 - share, self.new: share}).without_zeros()

    @property
    def _most(self) -> int:
        """The largest share that is judged, in percent."""
        return 100 - self.control if self.last.action is Action.KEEP else 100

    @property
    def final(self) -> Traffic:
        """The traffic once every step is proven."""
        kept = self.last.action is Action.KEEP
        return Traffic({self.new: 100}) if kept else self.traffic(self.last)

    def is_control(self, traffic: Traffic) -> bool:
        """True if the old deployment only has traffic to be compared with."""
        return traffic != self.final and traffic == self.traffic(self.last)

    def hold(self, step: Step) -> Hold:
        """Return how long the share of ``step`` is held."""
        keeping = step.action is Action.KEEP
        waits = self.inconclusive is Inconclusive.WAIT and not keeping
        patience_s = None if waits else self.patience_s
        return Hold(self.keep_s if keeping else self.hold_s, patience_s, keeping)

    def lines(self) -> list[str]:
        """Describe the plan, one step a line."""
        texts = {
            Action.DEPLOY: f"deploy {self.new} with no traffic, wait until it is ready",
            Action.GOLDEN: f"ask {self.new} its golden rows, by the header {DEPLOYMENT_HEADER}",
            Action.MIRROR: f"mirror {{percent}} % of the requests to {self.new}; judge",
            Action.LIVE: f"traffic {{percent}} % to {self.new}; judge",
            Action.KEEP: (
                f"keep {self.old} for {_minutes(self.keep_s)}; judge; "
                f"then all traffic to {self.new}"
            ),
            Action.DELETE: f"delete {self.old}",
        }
        most = {
            Inconclusive.BACK: f"{_minutes(self.patience_s)} at most, then all goes back",
            Inconclusive.HOLD: f"{_minutes(self.patience_s)} at most, then a person decides",
            Inconclusive.WAIT: "and until it can be judged",
        }[self.inconclusive]
        hold = f"each share is held for {_minutes(self.hold_s)} at least, {most}"
        lines = [
            f"{n}. {texts[step.action].format(percent=min(step.percent, self._most))}"
            for n, step in enumerate(self.steps, 1)
        ]
        if self.final != self.traffic(self.last):
            lines.append(
                f"{self.old} keeps {self.control} % of the traffic to the end of step "
                f"{self.steps.index(self.last) + 1}, as the control"
            )
        lines.append(
            f"{hold}; on a breach, an error or an interrupt all traffic goes back to {self.old}"
        )
        lines.append(
            f"{self.new} gets {self.old}'s autoscale setting, if any, before its traffic, and "
            f"loses it on the way back"
        )
        return [*lines, not_checked(self.unchecked)] if self.unchecked else lines


def not_checked(checks: Sequence[str]) -> str:
    return f"not checked: {', '.join(checks)}"


def steps(
    mirror: int = 10,
    traffic: Sequence[int] = (10, 50, 100),
    *,
    delete: bool = True,
    golden: bool = True,
) -> tuple[Step, ...]:
    """Return the steps. ``traffic`` rises; if it ends below 100, that split is held and both
    deployments stay."""
    before = [Step(Action.DEPLOY)] + ([Step(Action.GOLDEN)] if golden else [])
    before += [Step(Action.MIRROR, mirror)] if mirror else []
    after = (
        [Step(Action.KEEP)] + ([Step(Action.DELETE)] if delete else [])
        if traffic[-1] == 100
        else []
    )
    return (*before, *(Step(Action.LIVE, percent) for percent in traffic), *after)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
