"""Loads a server on one thread: in a closed loop by wrk, or at a constant rate by open_loop.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from servers import BENCHMARKS, BUILD, Running, Unusable

WRK = "wrk"
OPEN_LOOP_CONNECTIONS = 16
"""Requests in flight in the open loop. More requests wait, and their waiting counts."""

Figures = dict[str, float]
"""Measured values by their names; times are in milliseconds."""


class BadAnswers(Unusable):
    """Some requests got no 2xx: their cell stays empty, and the run fails at its end."""


def closed_loop(target: Running, body: bytes, *, connections: int, seconds: int) -> Figures:
    """Send each connection's next request after its answer came. Raises BadAnswers."""
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
        raise BadAnswers(f"wrk printed: {wrk.stdout.strip()[-200:]}")
    requests, micros, p50, p99, bad, broken = map(int, line.split()[1:])
    if bad or broken or not requests:
        raise BadAnswers(
            f"of {requests} requests at {connections} connections, {bad} got no 2xx and "
            f"{broken} were cut off"
        )
    return {
        "requests_per_second": requests / micros * 1e6,
        "p50_ms": p50 / 1000,
        "p99_ms": p99 / 1000,
    }


def open_loop(target: Running, body: bytes, *, rate: float, seconds: int) -> Figures:
    """Send requests at a constant rate, whatever the server does. Raises BadAnswers."""
    options = [
        str(target.port),
        target.server.path,
        str(_file(body)),
        f"{rate:.1f}",
        str(seconds),
        str(OPEN_LOOP_CONNECTIONS),
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
