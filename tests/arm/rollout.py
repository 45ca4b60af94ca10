"""A rollout of green after blue in Azure as it is here, with clients that ask both."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from arm.resource_manager import WORKSPACE
from arm.setting import ENDPOINT, Setting
from mlops.rollout.controller import Rollout
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.plan import Plan, steps
from mlops.rollout.questions import Questions
from mlops.rollout.rules import Rules

ASKED = Questions([({"data": [[1]], "method": "predict"}, [1])], [[1]] * 100)


def roll_out(
    here: Setting,
    slower: float = 1.0,
    asked: Questions = ASKED,
    meanwhile: Callable[[int], None] = lambda _: None,
) -> tuple[RolloutOutcome, list[dict[str, int]]]:
    """-> how it ended, and the traffic that was asked of Azure, mirrored shares under the name
    "mirrored". ``meanwhile`` is called before each look with its number."""
    looks = itertools.count(1)

    def clients(seconds: float) -> None:
        """Two hundred by each share, instead of waiting."""
        meanwhile(next(looks))
        traffic = here.endpoint.traffic()
        for name in {**traffic.live, **traffic.mirror}:
            duration = 20.0 * (slower if name == "green" else 1.0)
            here.azure.logs.rows += [
                {
                    "TimeGenerated": datetime.now(UTC).isoformat(),
                    "AzureMLWorkspaceName": WORKSPACE,
                    "EndpointName": "credit",
                    "DeploymentName": name,
                    "ResponseCode": "200",
                    "ModelStatusCode": "200",
                    "TotalDurationMs": duration + number % 10,
                }
                for number in range(200)
            ]

    outcome = Rollout(
        here.endpoint,
        Plan("blue", "green", steps(), hold_s=0, patience_s=5, keep_s=0),
        Rules(requests=100).paced(0),
        asked,
        Journal(here.folder / "journal.jsonl"),
        key="v2",
        sleep=clients,
    ).run()
    told = [request.document["properties"] for request in here.server.sent("PUT", ENDPOINT)]
    shares = [{**(each["traffic"] or {}), **_mirrored(each)} for each in told]
    return outcome, [share for share, _ in itertools.groupby(shares)]


def _mirrored(properties: dict[str, Any]) -> dict[str, int]:
    return {"mirrored": sum(shares.values())} if (shares := properties.get("mirrorTraffic")) else {}
