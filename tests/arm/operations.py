"""Long-running operations, which clients ask about until they have ended."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arm.https import Reply
from arm.resource_manager import AT_ONCE, SOON, Refusal


@dataclass
class Operation:
    """Under way for as many requests as ``left`` says, whatever they ask."""

    left: int
    endpoint: str
    finish: Callable[[], None]
    error: dict[str, str] | None = None


class Operations:
    """``url`` is where they are served. ``duration``: how many requests long one takes."""

    def __init__(self) -> None:
        self.url = ""
        self.duration = 2
        self._operations: dict[str, Operation] = {}
        self._numbers = itertools.count(1)

    def go_on(self) -> None:
        """Count a request, whatever it asks."""
        for operation in self._operations.values():
            operation.left -= 1
            if operation.left == 0:
                operation.finish()

    def status(self, name: str) -> Reply:
        operation = self._operations[name]
        if operation.left > 0:
            return Reply(202, {"name": name, "status": "InProgress"}, SOON)
        if operation.error:
            return Reply(200, {"name": name, "status": "Failed", "error": operation.error})
        return Reply(200, {"name": name, "status": "Succeeded"})

    def begin(
        self,
        status: int,
        endpoint: str,
        finish: Callable[[], None],
        body: Any = None,
        error: Any = None,
    ) -> Reply:
        name = str(next(self._numbers))
        self._operations[name] = Operation(self.duration, endpoint, finish, error)
        url = f"{self.url}/operations/{name}"
        return Reply(status, body, {"Azure-AsyncOperation": url, "Location": url, **SOON})

    def check_idle(self, endpoint: str) -> None:
        if any(o.left > 0 and o.endpoint == endpoint for o in self._operations.values()):
            raise Refusal(
                409,
                "Conflict",
                "Another operation on this endpoint is in progress; try again when it has ended.",
                AT_ONCE,
            )
