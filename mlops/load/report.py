"""Writes a run as one self-contained HTML page, and its raw figures as CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import jinja2
import orjson

from mlops import output
from mlops.load import picture
from mlops.load.figures import Figures, ObjectiveCheck, Objectives, checks, figures_of
from mlops.load.run import LoadRun
from mlops.load.stages import Stage

BUSY_CPU = 0.9
"""If the generator takes a larger share of a processor, its own limit may be what was measured."""

TEMPLATE = Path(__file__).with_name("report.html")


PAGE, REQUESTS, FIGURES = "report.html", "requests.csv", "figures.json"
HEADER = ("stage", "kind", "due_s", "waited_ms", "latency_ms", "status", "fine")
KNOWN = {
    PAGE: output.marked,
    REQUESTS: output.table(",".join(HEADER).encode()),
    FIGURES: output.marked,
}


class Result:
    """A run with its verdict: the objectives must hold in each stage."""

    def __init__(
        self,
        url: str,
        begun: str,
        stages: Sequence[Stage],
        objectives: Objectives,
        load_run: LoadRun,
    ) -> None:
        self.url = url
        self.begun = begun
        self.objectives = objectives
        self.run = load_run
        self.total = figures_of(load_run.requests)
        self.stages: list[tuple[Stage, Figures, list[ObjectiveCheck]]] = []
        for place, stage in enumerate(stages):
            of_stage = [request for request in load_run.requests if request.stage == place]
            if of_stage:
                figures = figures_of(of_stage)
                self.stages.append((stage, figures, checks(figures, objectives)))

    @property
    def complete(self) -> bool:
        return self.run.cpu is not None

    @property
    def broken(self) -> list[str]:
        return [
            f"{check} at {stage}"
            for stage, _, made in self.stages
            for check in made
            if not check.holds
        ]

    @property
    def holds(self) -> bool:
        return self.complete and not self.broken

    @property
    def outcome(self) -> str:
        if not self.complete:
            return "stopped early"
        return "within the SLO" if self.holds else "outside the SLO"

    @property
    def note(self) -> str:
        return busy_note(self.run.cpu)


def busy_note(cpu: float | None) -> str:
    """Return what to say of the generator's share of a processor, if anything."""
    if cpu is None or cpu < BUSY_CPU:
        return ""
    return (
        f"The generator itself took {cpu:.0%} of a processor, so these may be its own limits: send "
        "fewer requests, or send them from another machine."
    )


def check(folder: Path) -> None:
    """Refuse, before the load, files that must not be overwritten. Raises StartupError."""
    for name, known in KNOWN.items():
        output.check(folder / name, known)


def write(result: Result, folder: Path) -> Path:
    """Write ``report.html``, ``requests.csv`` and ``figures.json``, and return the page. Raises as
    ``output.write`` does."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(HEADER)
    writer.writerows(
        (*(getattr(request, name) for name in HEADER[:-1]), int(request.fine))
        for request in result.run.requests
    )
    contents: dict[str, str | bytes] = {
        REQUESTS: table.getvalue(),
        FIGURES: orjson.dumps(_document(result), option=orjson.OPT_INDENT_2),
        PAGE: _page(result),
    }
    for name, content in contents.items():
        output.write(folder / name, content, KNOWN[name])
    return folder / PAGE


def _document(result: Result) -> Mapping[str, object]:
    return {
        "about": f"{output.MARK} load",
        "url": result.url,
        "begun": result.begun,
        "outcome": result.outcome,
        "objectives": asdict(result.objectives),
        "generator_cpu": result.run.cpu,
        "total": asdict(result.total),
        "stages": [
            {"stage": str(stage), **asdict(figures), "holds": all(check.holds for check in made)}
            for stage, figures, made in result.stages
        ],
    }


def _page(result: Result) -> str:
    requests = result.run.requests
    kinds = sorted({request.kind for request in requests})
    counts = Counter((request.kind, request.status, request.fine) for request in requests)
    page = jinja2.Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return page.render(
        mark=output.MARK,
        url=result.url,
        begun=result.begun,
        total=result.total,
        outcome=result.outcome,
        holds=result.holds,
        note=result.note,
        slo=result.objectives,
        stages=[
            (stage, f, [check.objective for check in made if not check.holds])
            for stage, f, made in result.stages
        ],
        kinds=[
            (kind, figures_of([request for request in requests if request.kind == kind]), [])
            for kind in kinds
        ],
        statuses=[
            (kind, status, count, fine) for (kind, status, fine), count in sorted(counts.items())
        ],
        picture=picture.draw(requests, result.objectives),
    )
