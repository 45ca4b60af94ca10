"""A soak's figures as Markdown, and their place in the docs."""

from __future__ import annotations

import os
from pathlib import Path

from mlops.soak.faults import PHASES
from mlops.soak.soak import WORKERS, Soaked

BEGIN, END = "<!-- written by make slo -->\n", "<!-- end -->\n"


def table(soaked: Soaked) -> str:
    result, objectives = soaked.result, soaked.result.objectives
    stage = result.stages[0][0]
    lines = [
        f"{result.begun}: {stage.rate:g} requests a second for {stage.seconds:g} seconds a phase, "
        f"{result.total.requests} in all, on {len(os.sched_getaffinity(0))} processors, which the two instances with "
        f"{WORKERS} workers each share with the load, Valkey and the balancer.",
        "",
        "| phase | requests | P50, ms | P95, ms | P99, ms | worst, ms | errors, % | availability, % | lost |",
        "|---|---|---|---|---|---|---|---|---|",
        f"| *objective* | | | < {objectives.p95_ms:g} | < {objectives.p99_ms:g} | | < {100 * objectives.error_rate:g} "
        f"| > {100 * objectives.availability:g} | 0 |",
    ]
    groups = [(PHASES[place], figures) for place, (_, figures, _) in enumerate(result.stages)]
    groups.append(("**all**", result.total))
    for (name, figures), lost in zip(groups, [*soaked.lost, sum(soaked.lost)], strict=True):
        lines.append(
            f"| {name} | {figures.requests} | {figures.p50_ms:.1f} | {figures.p95_ms:.1f} | {figures.p99_ms:.1f} "
            f"| {figures.worst_ms:.0f} | {100 * figures.error_rate:.3f} | {100 * figures.availability:.3f} | {lost} |"
        )
    first, last = (each / 2**20 for each in (soaked.memory[0], soaked.memory[-1]))
    verdict = "All objectives held." if not soaked.problems else f"Not held: {'; '.join(soaked.problems)}."
    return "\n".join(
        [
            *lines,
            "",
            f"The workers of the instance that nothing happened to took {first:.0f} MiB together after the first phase "
            f"and {last:.0f} MiB at the end ({soaked.growth:+.1%}). {verdict}",
            "",
        ]
    )


def write(text: str, page: Path) -> None:
    """Between the marks of ``page``."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")
