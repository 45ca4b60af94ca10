"""What a real server logs and answers, as it arrives in Log Analytics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scripted import FAIL

import support
from blackbox.server import THREADS, Server, serving, until
from kusto.envelope import MIDNIGHT, console_log, container_log, moments, traffic_log, workspace
from kusto.evaluator import Table

GOOD, CACHED, BYPASSED, CLIENT, OURS = 120, 30, 30, 25, 15
"""Requests of each kind: computed, answered by the cache, kept from it by the client, refused,
failed."""

APART, IN_A_WINDOW = timedelta(seconds=15), 20
"""Requests are sent within seconds; they arrive in windows of five minutes with so many each."""


def arrived(envelope: Callable[[list[Any], Iterator[datetime]], Table], what: list[Any]) -> Table:
    return envelope(what, moments(APART))


def documents() -> Iterator[tuple[Any, dict[str, str]]]:
    """Requests with their headers."""
    good = [[[(i * 37 % GOOD + 1) / 6_000]] for i in range(GOOD)]
    for i, document in enumerate(good):
        yield document, {"x-request-id": f"request-{i}", "x-ms-client-request-id": f"client-{i}"}
    for document in good[:CACHED]:
        yield document, {}
    for document in good[:BYPASSED]:
        yield document, {"cache-control": "no-cache"}
    for i in range(CLIENT):
        yield ({"rows": []} if i % 2 else [["x"]]), {}
    for _ in range(OURS):
        yield [[FAIL]], {}


class Logged:
    """``lines`` of requests and ``answers`` that their clients had, in the order in which they were
    sent."""

    def __init__(self, folder: Path) -> None:
        env = THREADS | {
            "WORKER_COUNT": "1",
            "SCORING_CACHE": "memory",
            "SCORING_CACHE_MUST_PAY": "false",
        }
        with serving(
            support.scripted(folder, "Remembered"), folder, **env, DEPLOYMENT_NAME="blue"
        ) as server:
            self.answers = [self._ask(server, *one) for one in documents()]
            until(lambda: server.log.count("duration_ms") == len(self.answers), "all are logged")
            written = server.log.splitlines()
        order = [answer["request_id"] for answer in self.answers]
        requests = [json.loads(line) for line in written if "duration_ms" in line]
        self.lines = sorted(requests, key=lambda line: order.index(line["request_id"]))
        for answer, line in zip(self.answers, self.lines, strict=True):
            answer["duration_ms"] = line["duration_ms"]
        texts = [
            *map(json.dumps, self.lines),
            *(line for line in written if "duration_ms" not in line),
        ]
        self.tables = workspace(
            ContainerLogV2=arrived(container_log, texts),
            AmlOnlineEndpointConsoleLog=arrived(console_log, texts),
            AmlOnlineEndpointTrafficLog=arrived(traffic_log, self.answers),
        )
        self.windows = [
            self.answers[i : i + IN_A_WINDOW] for i in range(0, len(self.answers), IN_A_WINDOW)
        ]
        self.end = MIDNIGHT + len(self.answers) * APART

    @staticmethod
    def _ask(server: Server, document: Any, headers: dict[str, str]) -> dict[str, Any]:
        answer = server.score(document, headers=headers)
        client = headers.get("x-ms-client-request-id", "")
        return {
            "status": answer.status_code,
            "client_request_id": client,
            **answer.json()["metadata"],
        }
