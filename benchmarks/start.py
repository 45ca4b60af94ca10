"""Measures what a worker costs before its first request: ``make bench-start``.

Servers are started in turns, so the machine's speed drifts for all alike; the ratio to the
hand-written server is the median over the turns. Memory is what no other process shares
(``smaps_rollup``). At last our worker says how long it imports each package.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from compare import install_all
from servers import SERVERS, Server, request_of, running

from models import train

BY_HAND = "fastapi-onnx"
OURS = SERVERS["azmlinfsrv"]
PRELOADED = replace(
    OURS,
    title=f"{OURS.title}, WORKER_PRELOAD=true",
    env=OURS.env | {"WORKER_PRELOAD": "true"},
)
GUIDE = replace(SERVERS["guide"], env={"WORKER_COUNT": "{workers}"})
COMPARED = [SERVERS[BY_HAND], GUIDE, OURS, PRELOADED]
IMPORT_LINE = re.compile(rb"import time:\s+(\d+) \|\s+\d+ \| \s*([\w.]+)")
SHOWN_PACKAGES = 20


@dataclass(frozen=True)
class Start:
    """One start. ``wall_s``: until the first answer. ``processor_s``: of all its processes.
    ``worker_mib``: private memory of its largest process; ``all_mib``: of all, shared pages
    counted once."""

    wall_s: float
    processor_s: float
    worker_mib: float
    all_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=5, help="Start each server this many times.")
    turns = parser.parse_args().turns
    if unusable := install_all([BY_HAND]):
        sys.exit("\n".join(f"{name}: {why}" for name, why in unusable.items()))
    model = train("logistic")
    taken = [
        {server.title: start(server, model.folder, model.rows[:1]) for server in COMPARED}
        for _ in range(turns)
    ]
    second = {
        server.title: start(server, model.folder, model.rows[:1], workers=2).all_mib
        for server in COMPARED
    }
    print(table(taken, second))
    print()
    print(imports(model.folder, model.rows[:1]))


def start(server: Server, model: Path, rows: list[list[float]], workers: int = 1) -> Start:
    with running(server, model, request_of(server, rows), workers=workers) as up:
        return Start(
            up.startup,
            up.processor_seconds(),
            max(map(private_mib, up.family())),
            up.memory() * workers,
        )


def private_mib(process: psutil.Process) -> float:
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE))) / 1024


def table(taken: list[dict[str, Start]], second: dict[str, float]) -> str:
    lines = [
        "| | start | processor time | private MiB a worker | MiB in all | a second worker |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    by_hand = SERVERS[BY_HAND].title
    for title in taken[0]:
        pairs = [(turn[title], turn[by_hand]) for turn in taken]
        wall = statistics.median(one.wall_s / other.wall_s for one, other in pairs)
        processor = statistics.median(one.processor_s / other.processor_s for one, other in pairs)
        worker = statistics.median(one.worker_mib for one, _ in pairs)
        whole = statistics.median(one.all_mib for one, _ in pairs)
        lines.append(
            f"| {title} | {wall:.1f} | {processor:.1f} | {worker:.0f} | {whole:.0f} | "
            f"{second[title] - whole:+.0f} |"
        )
    return "\n".join(lines)


def imports(model: Path, rows: list[list[float]]) -> str:
    """Return the milliseconds that our server spends in the modules of each package, as Python
    counts them (``-X importtime``)."""
    server = replace(OURS, env=OURS.env | {"PYTHONPROFILEIMPORTTIME": "1"})
    with running(server, model, request_of(server, rows)) as up:
        log = up.log.read_bytes()
    packages = Counter[str]()
    for microseconds, module in IMPORT_LINE.findall(log):
        packages[module.decode().partition(".")[0]] += int(microseconds)
    lines = ["| package | ms |", "|---|---:|"]
    lines += [f"| {name} | {us / 1000:.0f} |" for name, us in packages.most_common(SHOWN_PACKAGES)]
    return "\n".join([*lines, f"| all | {packages.total() / 1000:.0f} |"])


if __name__ == "__main__":
    main()
