"""The steps of a rollout, from a deployment without traffic to one with all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from azureml_scoring.client.headers import DEPLOYMENT_HEADER
from mlops.endpoint import Traffic


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
    requests to judge it. ``keep_s``: how long the old deployment is kept, without traffic, once the
    new one has all of it. ``unchecked``: the waived checks.
    """

    old: str
    new: str
    steps: tuple[Step, ...]
    hold_s: float = 300
    patience_s: float = 3600
    keep_s: float = 1800
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
        share = 100 if step.action in (Action.KEEP, Action.DELETE) else step.percent
        live = {self.old: 100 - share, self.new: share}
        return Traffic({name: percent for name, percent in live.items() if percent})

    def lines(self) -> list[str]:
        """Describe the plan, one step a line."""
        texts = {
            Action.DEPLOY: f"deploy {self.new} with no traffic, wait until it is ready",
            Action.GOLDEN: f"ask {self.new} its golden rows, by the header {DEPLOYMENT_HEADER}",
            Action.MIRROR: f"mirror {{percent}} % of the requests to {self.new}; judge",
            Action.LIVE: f"traffic {{percent}} % to {self.new}; judge",
            Action.KEEP: f"keep {self.old} without traffic for {_minutes(self.keep_s)}; judge",
            Action.DELETE: f"delete {self.old}",
        }
        hold = (
            f"each share is held for {_minutes(self.hold_s)} at least, "
            f"{_minutes(self.patience_s)} at most"
        )
        lines = [
            f"{n}. {texts[step.action].format(percent=step.percent)}"
            for n, step in enumerate(self.steps, 1)
        ]
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
