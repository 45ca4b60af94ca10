"""Writes the figures of a run as Markdown tables and a picture."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version

from load import Figures
from picture import bars
from servers import REPOSITORY, SERVERS
from targets import TARGETS

from models import FOREST, LOGISTIC, TITLES, WIDTHS

Results = dict[str, Figures]
DOCS = REPOSITORY / "docs"
OVERLOAD, DEPLOYED = "## Overload", "## Models as people deploy them"
"""Headings of the sections that overload.py and deployed.py write."""

REFERENCE = "fastapi-onnx"
CONNECTIONS = [(1, connections) for connections in (1, 4, 16, 64)]
ROWS = [(rows, 4) for rows in (1, 10, 100)]


def key(server: str, model: str, rows: int, connections: int, workers: int = 1) -> str:
    return f"{server} {model} rows={rows} connections={connections} workers={workers}"


def machine() -> str:
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} processors, uvicorn "
        f"{version('uvicorn')}, onnxruntime {version('onnxruntime')}"
    )


def markdown(results: Results, unusable: dict[str, str], how: str) -> str:
    parts = [
        f"{machine()}; wrk with one thread, {how}, medians.\nFigures are requests/s unless stated "
        "otherwise, with one worker, four connections and no cache.",
        "## One row\n\n" + _summary(results),
        "## Targets\n\n" + _targets(results),
        "## Connections (logistic regression, one row)\n\n" + _grid(results, CONNECTIONS, "at {1}"),
        "## Latency by connections (logistic regression, one row, P50 / P99 in ms)\n\n"
        + _grid(results, CONNECTIONS, "at {1}", cell=_latency),
        "## Rows (logistic regression)\n\n" + _grid(results, ROWS, "{0} rows"),
        "## Rows (forest)\n\n" + _grid(results, ROWS, "{0} rows", FOREST),
        "## Features (logistic regression, one row)\n\n" + _widths(results),
        "## Workers (logistic regression, one row, 16 connections)\n\n" + _workers(results),
        "## Latency at a constant rate of arrivals (milliseconds)\n\n" + _open(results),
    ]
    if unusable:
        parts.append(
            "Not measured: "
            + "; ".join(f"{SERVERS[name].title}: {why}" for name, why in unusable.items())
        )
    return "\n\n".join(part for part in parts if not part.endswith("\n\n")) + "\n"


def write(text: str, results: Results) -> None:
    head = (
        "# Benchmarks\n\n"
        "`make bench` writes this page. It runs our servers and their peers side by side. Compare "
        "the ratios, not the\nfigures, which hold for one machine at one time.\n\n"
        "*The guide's script* follows [the guide](infrastructure.md#the-guides-checklist) that "
        "this project was built to\n"
        "([benchmarks/peers/guide](../benchmarks/peers/guide/score.py)): "
        "`init()` loads a pickle with joblib, and `run()`\nparses JSON and calls `predict`.\n\n"
        "![Requests a second](benchmarks.svg)\n\n"
    )
    page, notes = DOCS / "benchmarks.md", DOCS / "benchmarks-notes.md"
    new = f"{head}{text}\n{notes.read_text()}"
    for heading in (DEPLOYED, OVERLOAD):
        new = with_section(new, heading, section_of(page.read_text(), heading))
    page.write_text(new)
    charts = {}
    for model in (LOGISTIC, FOREST):
        rates = {
            name: results.get(key(name, model, 1, 4))
            for name, server in SERVERS.items()
            if not server.constant
        }
        charts[f"{TITLES[model]}, one row, requests/s"] = [
            (SERVERS[name].title, figures["requests_per_second"], SERVERS[name].ours)
            for name, figures in rates.items()
            if figures
        ]
    (DOCS / "benchmarks.svg").write_text(bars(charts))


def write_section(heading: str, section: str) -> None:
    """Put the section in place of the page's own."""
    page = DOCS / "benchmarks.md"
    page.write_text(with_section(page.read_text(), heading, section))


def section_of(page: str, heading: str) -> str:
    """Return the section of a page that has ``heading``, empty if there is none."""
    _, found, rest = page.partition(f"{heading}\n")
    body, _, _ = rest.partition("\n## ")
    return f"{found}{body.rstrip()}\n" if found else ""


def with_section(page: str, heading: str, section: str) -> str:
    """Return the page with ``section`` in place of the one that has ``heading``, or at its end."""
    if old := section_of(page, heading):
        return page.replace(old, section)
    return f"{page.rstrip()}\n\n{section}".rstrip() + "\n"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    if len(lines) == 1:
        return ""
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _rate(results: Results, name: str) -> str:
    figures = results.get(name)
    return f"{figures['requests_per_second']:,.0f}" if figures else ""


def _latency(results: Results, name: str) -> str:
    figures = results.get(name)
    return f"{figures['p50_ms']:.2f} / {figures['p99_ms']:.2f}" if figures else ""


def _summary(results: Results) -> str:
    rows = []
    for name, server in SERVERS.items():
        cells = [f"**{server.title}**" if server.ours else server.title]
        for model in (LOGISTIC, FOREST):
            figures, reference = (
                results.get(key(server_name, model, 1, 4)) for server_name in (name, REFERENCE)
            )
            if figures is None:
                cells += [""] * 3
                continue
            ratio = (
                figures["requests_per_second"] / reference["requests_per_second"]
                if reference
                else float("nan")
            )
            cells += [
                _rate(results, key(name, model, 1, 4)),
                f"{ratio:.2f}",
                f"{figures['p99_ms']:.2f}",
            ]
        process = results.get(key(name, LOGISTIC, 0, 0))
        cells += (
            [f"{process['memory_mib']:.0f}", f"{process['startup_s']:.1f}"] if process else ["", ""]
        )
        rows.append(cells)
    header = [
        "",
        *(
            f"{TITLES[model]}{what}"
            for model in (LOGISTIC, FOREST)
            for what in ("", ", ratio", ", P99 ms")
        ),
    ]
    return table([*header, "MiB a worker", "start, s"], rows)


def _targets(results: Results) -> str:
    def value(server: str, model: str, rows: int, figure: str) -> float:
        return results[key(server, model, rows, 4)][figure]

    rows = []
    for target in TARGETS:
        try:
            ratio = target.ratio(value)
        except KeyError:
            continue
        rows.append([target.what, target.bound, f"{ratio:.2f}", target.verdict(ratio)])
    return table(["ratio", "target", "measured", ""], rows)


def _grid(
    results: Results,
    loads: list[tuple[int, int]],
    title: str,
    model: str = LOGISTIC,
    cell: Callable[[Results, str], str] = _rate,
) -> str:
    return table(
        ["", *(title.format(*load) for load in loads)],
        (
            [server.title, *(cell(results, key(name, model, *load)) for load in loads)]
            for name, server in SERVERS.items()
        ),
    )


def _widths(results: Results) -> str:
    names = [name for name in SERVERS if key(name, next(iter(WIDTHS)), 1, 4) in results]
    return table(
        ["", *(f"{width} features" for width in WIDTHS.values())],
        (
            [SERVERS[name].title, *(_rate(results, key(name, width, 1, 4)) for width in WIDTHS)]
            for name in names
        ),
    )


def _workers(results: Results) -> str:
    names = [name for name in SERVERS if key(name, LOGISTIC, 1, 16, 2) in results]
    return table(
        ["", "1 worker", "2 workers"],
        (
            [SERVERS[name].title, *(_rate(results, key(name, LOGISTIC, 1, 16, n)) for n in (1, 2))]
            for name in names
        ),
    )


def _open(results: Results) -> str:
    measured = [
        (name, results[key])
        for key in results
        for name in SERVERS
        if key in (f"open slow {name}", f"open fast {name}")
    ]
    return table(
        ["", "requests/s", "P50", "P99", "P99.9"],
        (
            [
                SERVERS[name].title,
                f"{figures['requests_per_second']:,.0f}",
                *(f"{figures[p]:.2f}" for p in ("p50_ms", "p99_ms", "p999_ms")),
            ]
            for name, figures in measured
        ),
    )
