"""Azure Resource Manager's names, errors and rules, which all resources share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arm.https import Reply

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "ml-group"
WORKSPACE = "ml-workspace"
PREFIX = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
)
SOON = {"retry-after-ms": "1"}
"""azure-core takes a Retry-After of 0 for none, and waits 5 or 30 seconds then."""
AT_ONCE = {"Retry-After": "0.001"}


class Refusal(Exception):
    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        body = {"error": {"code": code, "message": message, "details": [], "additionalInfo": []}}
        self.reply = Reply(status, body, headers or {})


def in_state(resource: dict[str, Any], state: str) -> dict[str, Any]:
    return {**resource, "properties": {**resource["properties"], "provisioningState": state}}


def check_tags(resource: dict[str, Any]) -> None:
    """Azure Resource Manager's limits. A PUT replaces all tags by those that are sent."""
    tags = resource.get("tags") or {}
    if len(tags) > 50:
        raise Refusal(400, "BadRequest", f"A resource may have 50 tags; {len(tags)} were sent.")
    if wrong := [
        name for name, value in tags.items() if set(name) & set("<>%&\\?/") or len(name) > 512
    ]:
        raise Refusal(400, "BadRequest", f"These are no names for tags: {', '.join(wrong)}.")
    if long := [name for name, value in tags.items() if len(value) > 256]:
        raise Refusal(
            400, "BadRequest", f"A tag's value may have 256 characters; longer: {', '.join(long)}."
        )
