"""The Authorization header, from a key or from Entra's tokens."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from azureml_scoring.client.headers import is_header_value

SCOPE = "https://ml.azure.com/.default"
"""Of Azure ML's data plane; a managed endpoint takes no token of another one."""

RENEW_BEFORE_S = 300
"""A token is renewed so long before it expires, as azure-core does it."""


class TokenCredential(Protocol):
    """Any credential of azure-identity: ``get_token`` is a function or a coroutine function, and
    its result has ``token`` and ``expires_on`` (seconds since 1970)."""

    def get_token(self, *scopes: str) -> Any: ...


class Authorization:
    """Makes the header, and keeps a token until shortly before it expires. Used in one event
    loop."""

    def __init__(
        self, credential: str | TokenCredential | None, now: Callable[[], float] = time.time
    ) -> None:
        if isinstance(credential, str) and not is_header_value(credential.strip()):
            raise ValueError("The key is empty or has characters that no key has; copy it again.")
        self._credential = credential
        self._now = now
        self._token = ""
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """Raises what the credential raises."""
        if self._credential is None:
            return {}
        if isinstance(self._credential, str):
            return {"Authorization": f"Bearer {self._credential.strip()}"}
        async with self._lock:
            if self._now() >= self._renew_at:
                token = await _token_of(self._credential)
                self._token, self._renew_at = token.token, token.expires_on - RENEW_BEFORE_S
        return {"Authorization": f"Bearer {self._token}"}

    async def renewed(self, refused: Mapping[str, str]) -> dict[str, str]:
        """Return the header anew, after the server refused this one; the same if there is no newer
        token. Raises what the credential raises."""
        if refused.get("Authorization") == f"Bearer {self._token}":
            self._renew_at = 0.0
        return await self.headers()


async def _token_of(credential: TokenCredential) -> Any:
    """Ask in a thread if asking blocks."""
    if inspect.iscoroutinefunction(credential.get_token):
        return await credential.get_token(SCOPE)
    return await asyncio.to_thread(credential.get_token, SCOPE)
