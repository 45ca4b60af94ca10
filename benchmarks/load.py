"""Puts load on a server: a closed loop by wrk, and a constant rate of arrivals by open_loop.py. One
thread each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from servers import BENCHMARKS, BUILD, Running, Unusable

WRK = "wrk"
CONNECTIONS = 16
"""Of the open loop: as many requests may be in flight; more wait, and their waiting counts."""

Figures = dict[str, float]
"""What was measured -> its value; times in milliseconds."""


class BadAnswers(Unusable):
    """Under load some requests got no 2xx: the cell holds no figure, and the run fails at its
    end."""


def closed_loop(target: Running, body: bytes, *, connections: int, seconds: int) -> Figures:
    """Each connection sends its next request when it has its answer. Raises BadAnswers."""
    command = [
        WRK,
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        BENCHMARKS / "post.lua",
    ]
    wrk = subprocess.run(  # noqa: S603
        [*command, target.url],
        env=os.environ | {"BODY": str(_file(body))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    line = next((line for line in wrk.stdout.splitlines() if line.startswith("measured ")), None)
    if line is None:
        raise BadAnswers(f"wrk said: {wrk.stdout.strip()[-200:]}")
    requests, micros, p50, p99, bad, broken = map(int, line.split()[1:])
    if bad or broken or not requests:
        raise BadAnswers(
            f"of {requests} requests at {connections} connections {bad} "
            f"got no 2xx, {broken} broke off"
        )
    return {
        "requests_per_second": requests / micros * 1e6,
        "p50_ms": p50 / 1000,
        "p99_ms": p99 / 1000,
    }


def open_loop(target: Running, body: bytes, *, rate: float, seconds: int) -> Figures:
    """Requests are due at a constant rate, whatever the server does. Raises BadAnswers."""
    options = [
        str(target.port),
        target.server.path,
        str(_file(body)),
        f"{rate:.1f}",
        str(seconds),
        str(CONNECTIONS),
    ]
    run = subprocess.run(  # noqa: S603
        [sys.executable, BENCHMARKS / "open_loop.py", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise BadAnswers(
            f"the open loop failed: {(run.stderr.strip().splitlines() or ['no reason'])[-1]}"
        )
    figures: Figures = json.loads(run.stdout)
    return figures


def _file(body: bytes) -> Path:
    file = BUILD / "run" / "body.json"
    file.write_bytes(body)
    return file
