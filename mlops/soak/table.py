"""Formats a soak's figures as Markdown, and writes them into the docs."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

from mlops import output
from mlops.soak.faults import PHASES
from mlops.soak.soak import MAX_MEMORY_GROWTH, WORKERS, Soaked

BEGIN, END = "<!-- written by make slo -->\n", "<!-- end -->\n"


def table(soaked: Soaked) -> str:
    result, objectives = soaked.result, soaked.result.objectives
    stage = result.stages[0][0]
    lines = [
        textwrap.fill(
            f"{result.begun}: {stage.rate:g} requests a second for {stage.seconds:g} seconds a "
            f"phase, {result.total.requests} in all, on {len(os.sched_getaffinity(0))} processors, "
            f"which the two instances with {WORKERS} workers each share with the load, Valkey and "
            "the balancer.",
            120,
        ),
        "",
        "| phase | requests | P50, ms | P95, ms | P99, ms | worst, ms | errors, % | "
        "availability, % | lost | MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
        f"| *objective* | | | < {objectives.p95_ms:g} | < {objectives.p99_ms:g} | | "
        f"< {100 * objectives.error_rate:g} | > {100 * objectives.availability:g} | 0 | "
        f"+{MAX_MEMORY_GROWTH:.0%} |",
    ]
    groups = [(PHASES[place], figures) for place, (_, figures, _) in enumerate(result.stages)]
    memory = [f"{used / 2**20:.0f}" for used in soaked.memory]
    groups.append(("**all**", result.total))
    sides = zip([*soaked.lost, sum(soaked.lost)], [*memory, f"{soaked.growth:+.1%}"], strict=True)
    for (name, figures), (lost, used) in zip(groups, sides, strict=True):
        lines.append(
            f"| {name} | {figures.requests} | {figures.p50_ms:.1f} | {figures.p95_ms:.1f} | "
            f"{figures.p99_ms:.1f} | {figures.worst_ms:.0f} | {100 * figures.error_rate:.3f} | "
            f"{100 * figures.availability:.3f} | {lost} | {used} |"
        )
    verdict = (
        "All objectives held."
        if not soaked.problems
        else f"Not held: {'; '.join(soaked.problems)}."
    )
    return "\n".join(
        [
            *lines,
            "",
            verdict,
            "",
        ]
    )


def write(text: str, page: Path) -> None:
    """Replace what stands between the marks of ``page``."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    output.write(page, f"{before}{BEGIN}{text}{END}{after}", output.seen_by_the_command)
