"""What policies and their expressions see: requests, responses and the ``context``.

https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#ContextVariables
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


class Headers:
    """Headers, without regard to case."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._values = {name.lower(): value for name, value in (headers or {}).items()}

    @property
    def members(self) -> dict[str, Any]:
        return {"GetValueOrDefault": self.get}

    def get(self, name: str, default: str = "") -> str:
        return self._values.get(name.lower(), default)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterable[str]:
        return iter(self._values)

    def items(self) -> Iterable[tuple[str, str]]:
        return self._values.items()

    def set(self, name: str, action: str, values: list[str]) -> None:
        """Set a header by the ``exists-action`` of ``set-header``, whose several values become one
        with commas."""
        old = [self[name]] if name in self else []
        if action == "delete":
            self._values.pop(name.lower(), None)
        elif action == "override" or (action == "skip" and not old):
            self._values[name.lower()] = ",".join(values)
        elif action == "append":
            self._values[name.lower()] = ",".join(old + values)


@dataclass
class Body:
    content: bytes

    @property
    def members(self) -> dict[str, Any]:
        return {"As<string>": self._as_string}

    def _as_string(self, *, preserveContent: bool = False) -> str:
        assert preserveContent, "the body would be lost to whoever reads it next"
        return self.content.decode()


@dataclass
class Request:
    method: str = "POST"
    path: str = "/score"
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    query: dict[str, str] = field(default_factory=dict)
    ip: str = "203.0.113.7"

    @property
    def members(self) -> dict[str, Any]:
        return {"Headers": self.headers, "IpAddress": self.ip}


@dataclass
class Response:
    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes | None = None
    reason: str = ""

    @property
    def members(self) -> dict[str, Any]:
        body = None if self.body is None else Body(self.body)
        return {"StatusCode": self.status, "Headers": self.headers, "Body": body}


@dataclass(frozen=True)
class Subscription:
    id: str
    started: datetime

    @property
    def members(self) -> dict[str, Any]:
        return {"Id": self.id}


@dataclass
class Failure(Exception):
    """Processing ends, and ``on-error`` begins; ``context.LastError`` is this.

    ``status`` and ``headers`` are those of the response that API Management would give by itself.
    https://learn.microsoft.com/azure/api-management/api-management-error-handling-policies#lasterror
    """

    source: str
    reason: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def members(self) -> dict[str, Any]:
        return {"Source": self.source, "Reason": self.reason}


@dataclass
class Context:
    request: Request
    request_id: UUID
    timestamp: datetime
    subscription: Subscription | None = None
    response: Response | None = None
    returned: Response | None = None
    """That of ``return-response``."""
    last_error: Failure | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    backend: str = ""
    """The id of the backend that was chosen."""
    promised: dict[str, str] = field(default_factory=dict)
    """Headers that ``cors`` gives to any response."""
    rate_headers: dict[str, str] = field(default_factory=dict)
    """Those that ``rate-limit-by-key`` gives to what the backend answered; of others its page says
    nothing."""

    @property
    def members(self) -> dict[str, Any]:
        return {
            "Request": self.request,
            "RequestId": self.request_id,
            "Response": self.response,
            "Subscription": self.subscription,
            "LastError": self.last_error,
            "Timestamp": self.timestamp,
            "Variables": self.variables,
        }
