"""The Log Analytics query route, for queries of one table with ``where`` and ``project``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from arm.https import Reply, Request

TABLE = "AmlOnlineEndpointTrafficLog"
COLUMNS = {
    "TimeGenerated": "datetime",
    "AzureMLWorkspaceName": "string",
    "EndpointName": "string",
    "DeploymentName": "string",
    "ResponseCode": "string",
    "ModelStatusCode": "string",
    "TotalDurationMs": "real",
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
        shown = list(COLUMNS)
        for step in steps:
            if found := re.fullmatch(r"where (\w+) =~ '([^']*)'", step):
                column, text = found.groups()
                rows = [row for row in rows if str(row[column]).lower() == text.lower()]
            elif found := re.fullmatch(r"where isnotempty\((\w+)\)", step):
                rows = [row for row in rows if row[found[1]]]
            elif step.startswith("project "):
                shown = [name.strip() for name in step.removeprefix("project ").split(",")]
            else:
                return Reply(
                    400, {"error": {"code": "BadArgumentError", "message": f"Syntax error: {step}"}}
                )
        columns = [{"name": name, "type": COLUMNS[name]} for name in shown]
        answer: dict[str, Any] = {
            "tables": [
                {
                    "name": "PrimaryResult",
                    "columns": columns,
                    "rows": [[row[name] for name in shown] for row in rows],
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
