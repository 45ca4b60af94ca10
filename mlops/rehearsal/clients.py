"""Clients of a rehearsal: requests at a constant rate, whatever becomes of those before."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from azureml_scoring.client.headers import request_headers
from mlops.load.mix import RequestKind
from mlops.load.run import LoadPlan, SentRequest, generating
from mlops.load.stages import Stage

LONGEST_S = 24 * 3600


class Clients:
    """Clients at work. ``began``: when their first request was due, in seconds since 1970.
    ``requests``: those that were answered by now."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.requests: list[SentRequest] = []


@contextmanager
def clients(url: str, rows: Sequence[list[Any]], rate: float) -> Iterator[Clients]:
    """Ask the endpoint at ``url`` for one row at a time, ``rate`` times a second. At the end of the
    block no more requests are sent, and all are answered. Raises StartupError."""
    stages = [Stage(LONGEST_S, rate)]
    plan = LoadPlan(
        f"{url}/score", request_headers(None, None), stages, {RequestKind.GOOD: 1}, rows
    )
    with generating(plan) as generator:
        made = Clients(generator.began)

        def read() -> None:
            for request in generator.requests():
                made.requests.append(request)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield made
        finally:
            generator.stop()
            reader.join()
