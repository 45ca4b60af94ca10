"""The Log Analytics query route, for the one query of a rollout: its ``where`` steps are taken as
written, and its counting is that of ``blocks_of``. tests/deploy/test_rollout_query.py holds the
query itself by Microsoft's parser."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from arm.https import Reply, Request
from mlops.traffic_blocks import Observation, blocks_of

TABLE = "AmlOnlineEndpointTrafficLog"
COLUMNS = {
    "Block": "datetime",
    "DeploymentName": "string",
    "Outcome": "string",
    "Latencies": "dynamic",
}


class LogAnalytics:
    """``rows``: dictionaries by column. ``complete``: whether answers hold all that was asked
    for."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.complete = True

    def __call__(self, request: Request) -> Reply:
        table, *steps = [step.strip() for step in request.document["query"].split("|")]
        if table != TABLE:
            return Reply(
                400,
                {
                    "error": {
                        "code": "BadArgumentError",
                        "message": f"Failed to resolve table '{table}'.",
                    }
                },
            )
        start, end = (
            datetime.fromisoformat(time) for time in request.document["timespan"].split("/")
        )
        rows = [
            row for row in self.rows if start <= datetime.fromisoformat(row["TimeGenerated"]) <= end
        ]
        for step in steps:
            if found := re.fullmatch(r'where (\w+) =~ "([^"]*)"', step):
                column, text = found.groups()
                rows = [row for row in rows if str(row[column]).lower() == text.lower()]
            elif found := re.fullmatch(r"where isnotempty\((\w+)\)", step):
                rows = [row for row in rows if row[found[1]]]
            elif found := re.fullmatch(r'where not\((\w+) startswith "([^"]*)"\)', step):
                column, text = found.groups()
                rows = [row for row in rows if not str(row.get(column, "")).startswith(text)]
            elif not step.startswith(("extend ", "summarize ")):
                return Reply(
                    400, {"error": {"code": "BadArgumentError", "message": f"Syntax error: {step}"}}
                )
        answer: dict[str, Any] = {
            "tables": [
                {
                    "name": "PrimaryResult",
                    "columns": [{"name": name, "type": COLUMNS[name]} for name in COLUMNS],
                    "rows": _summarized(rows),
                }
            ]
        }
        if not self.complete:
            answer["error"] = {
                "code": "PartialError",
                "message": "The query exceeded the limits.",
                "details": [],
            }
        return Reply(200, answer)


def _summarized(rows: list[dict[str, Any]]) -> list[list[Any]]:
    seen = [
        Observation(
            datetime.fromisoformat(row["TimeGenerated"]).timestamp(),
            row["DeploymentName"],
            _status(row),
            float(row["TotalDurationMs"] or 0),
        )
        for row in rows
    ]
    summarized = []
    for block in blocks_of(seen):
        outcomes = {
            "failed": [[0, block.failed]] if block.failed else [],
            "refused": [[0, block.refused]] if block.refused else [],
            "answered": block.latencies,
        }
        at = datetime.fromtimestamp(block.at, UTC).isoformat()
        summarized += [
            [at, block.deployment, outcome, json.dumps(pairs)]
            for outcome, pairs in outcomes.items()
            if pairs
        ]
    return summarized


def _status(row: dict[str, Any]) -> int:
    hidden = row["ResponseCode"] == "424"
    status = int((row["ModelStatusCode"] if hidden else row["ResponseCode"]) or 0)
    return 0 if status == 408 and not hidden else status
