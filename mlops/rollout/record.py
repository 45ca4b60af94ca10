"""The record of an endpoint's last rollout, kept in the endpoint's own tags, where every machine
sees it."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from mlops.endpoint import EndpointError, Source

PREFIX = "rollout-"
MAX_TAG_LENGTH = 256
"""Azure's limit for a tag's value."""

MAX_TAGS = 50
"""Azure's limit for a resource."""

SOURCE_NAMES = ("model", "code", "environment", "file", "commit")
REQUIRED_NAMES = ("run", "state", "old", "new", "by", "at")
TAG_NAMES = frozenset(
    PREFIX + name for name in (*REQUIRED_NAMES, *(f"old-{name}" for name in SOURCE_NAMES))
)
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class UnreadableTags(EndpointError):
    """The tags are not a record that a rollout wrote."""


class RolloutPhase(StrEnum):
    ROLLING = "rolling"
    HELD = "held"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True)
class Record:
    """An endpoint's last rollout, from ``old`` to ``new``. ``run``: identifies the process that may
    direct the traffic while ``phase`` is rolling. ``by``: a person or a pipeline run. ``at``: when
    the phase began. ``source``: what the old deployment is made of."""

    run: str
    phase: RolloutPhase
    old: str
    new: str
    by: str
    at: datetime
    source: Source = field(default_factory=Source)

    def on(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return ``tags`` with this record in place of any other.

        A source too long for a tag is left out; other long values are cut. If there are too many
        tags, a rollback writes none of its own: it must be possible, and none mean the same.
        """
        others = {name: value for name, value in tags.items() if name.lower() not in TAG_NAMES}
        values = [self.run, self.phase, self.old, self.new, self.by, self.at.strftime(TIME_FORMAT)]
        source = {f"old-{name}": value for name, value in asdict(self.source).items()}
        ours = {**dict(zip(REQUIRED_NAMES, map(str, values), strict=True)), **source}
        written = {
            PREFIX + name: value[:MAX_TAG_LENGTH]
            for name, value in ours.items()
            if name in REQUIRED_NAMES or 0 < len(value) <= MAX_TAG_LENGTH
        }
        full = len(others) + len(written) > MAX_TAGS
        return others if full and self.phase is RolloutPhase.ROLLED_BACK else others | written

    @classmethod
    def read(cls, tags: Mapping[str, str], endpoint: str) -> Record | None:
        """Read the record; None if no rollout has written tags. Raises UnreadableTags."""
        ours = {name.lower(): value for name, value in tags.items() if name.lower() in TAG_NAMES}
        if not ours:
            return None
        try:
            run, phase, old, new, by, at = (ours[PREFIX + name] for name in REQUIRED_NAMES)
            if not (run and old):
                raise ValueError
            source = Source(**{name: ours.get(f"{PREFIX}old-{name}", "") for name in SOURCE_NAMES})
            return cls(
                run,
                RolloutPhase(phase),
                old,
                new,
                by,
                datetime.strptime(at, TIME_FORMAT).replace(tzinfo=UTC),
                source,
            )
        except (KeyError, ValueError, TypeError):
            raise UnreadableTags(
                f"The tags {PREFIX}* of {endpoint} are not what a rollout writes, so they do not "
                f"tell where to go back to; name the deployment: "
                f"mlops rollback {endpoint} --to NAME."
            ) from None

    @property
    def since(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} UTC"


def new_run() -> str:
    return uuid.uuid4().hex[:12]


def whoever() -> str:
    """Return who runs this: the pipeline run, or the user and machine."""
    env = os.environ
    if run := env.get("GITHUB_RUN_ID"):
        attempt = env.get("GITHUB_RUN_ATTEMPT", "1")
        who = f"GitHub run {run}/{attempt} of {env.get('GITHUB_REPOSITORY', 'unknown')}"
    elif build := env.get("BUILD_BUILDID"):
        attempt = ".".join(env.get(f"SYSTEM_{part}ATTEMPT", "1") for part in ("STAGE", "JOB"))
        who = (
            f"Azure Pipelines build {build}/{attempt} of {env.get('SYSTEM_TEAMPROJECT', 'unknown')}"
        )
    else:
        who = f"{_user()}@{socket.gethostname()}"
    return who[:MAX_TAG_LENGTH]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
