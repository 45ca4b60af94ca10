"""How the requests of a rollout are told from those of clients."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

CLIENT_ID_HEADER = "x-ms-client-request-id"
"""Azure logs it as ``XMSClientRequestId``."""

OWN_PREFIX = "mlops-rollout-"


def own_headers() -> dict[str, str]:
    """Return headers that mark a request as ours, and ask for a computed answer: a cached one would
    always agree with itself."""
    return {CLIENT_ID_HEADER: f"{OWN_PREFIX}{uuid.uuid4().hex}", "Cache-Control": "no-cache"}


def is_own(headers: Mapping[str, str]) -> bool:
    return headers.get(CLIENT_ID_HEADER, "").startswith(OWN_PREFIX)
