"""Writes the overload benchmark as a section of docs/benchmarks.md, with a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from overload_cells import LIMITS_MS, Cell
from overload_models import MODELS, OURS, OVERLOAD_SERVERS
from overload_watch import Probe
from report import DOCS, OVERLOAD, machine, table, with_section
from targets import Target

from mlops.load.goodput import percentile
from mlops.svg import picture

PICTURE = "overload.svg"
OVER = (1.2, 2.0, 5.0)
"""Loads of the targets."""


@dataclass
class Results:
    """What was measured. ``cells``: by model and server. ``bentoml``: by model and
    ``max_concurrency``, goodput by limit in ms. ``slots``: by model and number of slots, capacity.
    ``batching``: g500 in units of capacity without it."""

    seconds: float
    minutes: float = 0.0
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    bentoml: dict[str, dict[int, dict[float, float]]] = field(default_factory=dict)
    slots: dict[str, dict[int, float]] = field(default_factory=dict)
    batching: float = math.nan
    many_connections: list[Probe] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)


def _ours(results: Results) -> dict[str, Cell]:
    return {name: cells[OURS] for name, cells in results.cells.items() if OURS in cells}


def _worst(
    results: Results,
    value: Callable[[str, Cell], float],
    choose: Callable[[Iterable[float]], float],
) -> float:
    """Return the worst value of our cells, NaN if there is none."""
    values = [value(name, cell) for name, cell in _ours(results).items()]
    return choose([it for it in values if not math.isnan(it)] or [math.nan])


def _least_goodput(name: str, cell: Cell) -> float:
    limit = MODELS[name].limit_ms
    return min(
        (cell.loads[load].within[limit] for load in OVER if load in cell.loads), default=math.nan
    )


def _refusals(figure: str) -> Callable[[str, Cell], float]:
    def most(_: str, cell: Cell) -> float:
        values = [getattr(cell.loads[load], figure) for load in OVER if load in cell.loads]
        return max((it for it in values if not math.isnan(it)), default=math.nan)

    return most


def _all_probes(results: Results) -> list[Probe]:
    cells = _ours(results).values()
    return [probe for cell in cells for probe in cell.probes] + results.many_connections


def _probes_p99(probes: list[Probe]) -> float:
    return percentile(np.array([probe.took_ms for probe in probes]), 99)


def _slots_ratio(results: Results) -> float:
    cells = _ours(results)
    return min(
        (
            cells[name].capacity / max(fixed.values())
            for name, fixed in results.slots.items()
            if name in cells
        ),
        default=math.nan,
    )


def _forest_ratio(results: Results) -> float:
    cells = results.cells.get("forest", {})
    if not {OURS, "azmlinfsrv"} <= set(cells):
        return math.nan
    return cells[OURS].capacity / cells["azmlinfsrv"].capacity


TARGETS = (
    Target(
        "goodput at 1.2, 2 and 5 times, least of all models (within 200 ms; bimodal: 500 ms)",
        lambda results: _worst(results, _least_goodput, min),
        0.95,
    ),
    Target(
        "refused at 0.9 times, share",
        lambda results: _worst(
            results,
            lambda _, cell: cell.loads[0.9].refused if 0.9 in cell.loads else math.nan,
            max,
        ),
        0.01,
        at_most=True,
    ),
    Target(
        "refusal P50, ms",
        lambda results: _worst(results, _refusals("refusal_p50_ms"), max),
        5,
        at_most=True,
    ),
    Target(
        "refusal P99, ms",
        lambda results: _worst(results, _refusals("refusal_p99_ms"), max),
        25,
        at_most=True,
    ),
    Target(
        "probes failed, also at 900 connections",
        lambda results: sum(not probe.is_fine for probe in _all_probes(results)),
        0,
        at_most=True,
    ),
    Target(
        "probe P99, ms, also at 900 connections",
        lambda results: max(
            _worst(results, lambda _, cell: _probes_p99(cell.probes), max),
            _probes_p99(results.many_connections) if results.many_connections else -math.inf,
        ),
        100,
        at_most=True,
    ),
    Target(
        "recovery to normal latency, s",
        lambda results: _worst(results, lambda _, cell: cell.recovery_s, max),
        0.6,
        at_most=True,
    ),
    Target(
        "memory under 5 times, MB more",
        lambda results: _worst(results, lambda _, cell: cell.growth_mb, max),
        50,
        at_most=True,
    ),
    Target(
        "clients that leave at 500 ms: computed for one answered",
        lambda results: _worst(results, lambda _, cell: cell.computed, max),
        1.1,
        at_most=True,
    ),
    Target(
        "clients that retry three times at once, at 2 times: within 500 ms",
        lambda results: _worst(results, lambda _, cell: cell.retried_g500, min),
        0.95,
    ),
    Target(
        "micro-batching, 5 times: within 500 ms, in units of capacity without it",
        lambda results: results.batching,
        4.5,
    ),
    Target("slots chosen / the best fixed number, capacity", _slots_ratio, 0.9),
    Target("forest not compiled, ours / stock azmlinfsrv, capacity", _forest_ratio, 0.95),
)


def section(results: Results) -> str:
    """Return the section of the docs."""
    parts = [
        f"{OVERLOAD}\n\n"
        "`make bench-overload` writes this section. Each server is first loaded in a closed loop: "
        "that is its own\ncapacity. Then requests arrive at a constant rate, a multiple of it, and "
        "clients wait 5 s. *Goodput* is the number\nof answers within 200 ms (g200) or 500 ms "
        f"(g500), divided by the capacity; the second half of {results.seconds:g} s counts.\n"
        "`/liveness`, or what the server has for it, is probed five times a second. One worker, no "
        "cache; BentoML with the\nbest of the `max_concurrency` tried.\n"
        f"{machine()}; {results.minutes:.0f} minutes.",
        f"![Goodput over offered load]({PICTURE})",
        _targets(results),
    ]
    for name, cells in results.cells.items():
        parts.append(f"### {_upper(MODELS[name].title)}\n\n{_cells(cells)}")
        if name in results.bentoml:
            parts.append(_bentoml(results.bentoml[name]))
        if name in results.slots:
            parts.append(_slots(results.slots[name]))
    if results.unusable:
        reasons = "; ".join(f"{name}: {why}" for name, why in results.unusable.items())
        parts.append(f"Not measured: {reasons}")
    return "\n\n".join(part for part in parts if part) + "\n"


def write(results: Results) -> None:
    """Write the section and its picture."""
    page = DOCS / "benchmarks.md"
    page.write_text(with_section(page.read_text(), section(results)))
    (DOCS / PICTURE).write_bytes(draw(results))


def draw(results: Results) -> bytes:
    """Draw goodput over offered load as SVG: one plot for each model, one line for each server."""
    count = len(results.cells)
    columns = min(count, 3)
    figure = Figure(figsize=(4 * columns, 3.2 * math.ceil(count / columns)), layout="constrained")
    plots = figure.subplots(math.ceil(count / columns), columns, squeeze=False).flat
    for axes, (name, cells) in zip(plots, results.cells.items(), strict=False):
        model = MODELS[name]
        most = max(load for cell in cells.values() for load in cell.loads)
        axes.plot([0, 1, most], [0, 1, 1], color="#bbbbbb", linestyle="--", linewidth=1)
        for server, cell in cells.items():
            axes.plot(
                list(cell.loads),
                [at_load.within[model.limit_ms] for at_load in cell.loads.values()],
                marker="o",
                markersize=3,
                linewidth=2.5 if server == OURS else 1,
                color=COLOURS[server],
                label=_title(server),
            )
        axes.set(xlabel="offered load / capacity", ylim=(0, None))
        axes.set_title(f"{model.title}\nwithin {model.limit_ms} ms", fontsize="small")
        axes.legend(fontsize="x-small")
    return picture(figure, "svg")


COLOURS = dict(
    zip(
        OVERLOAD_SERVERS,
        ("#0067b8", "#d98a1f", "#2e8b57", "#2e8b57", "#c0392b", "#7a4fb5"),
        strict=True,
    )
)


def _targets(results: Results) -> str:
    rows = []
    for target in TARGETS:
        value = target.ratio(results)
        if not math.isnan(value):
            rows.append([target.what, target.bound, f"{value:.3g}", target.verdict(value)])
    return table(["target", "bound", "measured, worst", ""], rows)


def _cells(cells: dict[str, Cell]) -> str:
    loads = sorted({load for cell in cells.values() for load in cell.loads})
    header = ["", "capacity/s"]
    header += [f"g{limit:.0f} at {load:g}" for limit in LIMITS_MS for load in loads]
    header += ["refused at 0.9", "refusal P50 / P99, ms", "probes failed", "probe P99, ms"]
    header += ["recovery, s", "MB more", "computed for one", "g500, retries"]
    return table(header, ([_title(name), *_figures(cell, loads)] for name, cell in cells.items()))


def _figures(cell: Cell, loads: list[float]) -> list[str]:
    cells = [f"{cell.capacity:.1f}"]
    for limit in LIMITS_MS:
        cells += [
            f"{cell.loads[load].within[limit]:.2f}" if load in cell.loads else "" for load in loads
        ]
    failed = sum(not probe.is_fine for probe in cell.probes)
    refusals = [_refusals(figure)("", cell) for figure in ("refusal_p50_ms", "refusal_p99_ms")]
    return [
        *cells,
        f"{cell.loads[0.9].refused:.1%}" if 0.9 in cell.loads else "",
        "never" if math.isnan(refusals[0]) else " / ".join(f"{it:.0f}" for it in refusals),
        f"{failed} of {len(cell.probes)}",
        _number(_probes_p99(cell.probes), ".0f"),
        "none" if math.isinf(cell.recovery_s) else _number(cell.recovery_s, ".1f"),
        _number(cell.growth_mb, ".0f"),
        _number(cell.computed, ".1f"),
        _number(cell.retried_g500, ".2f"),
    ]


def _bentoml(tried: dict[int, dict[float, float]]) -> str:
    shown = ", ".join(
        f"{limit} gives {' and '.join(f'{it:.2f}' for it in within.values())}"
        for limit, within in tried.items()
    )
    return f"BentoML's `max_concurrency`, g200 and g500 at 2 times: {shown}."


def _slots(fixed: dict[int, float]) -> str:
    shown = ", ".join(f"{slots}: {rate:.1f}" for slots, rate in fixed.items())
    return f"Our capacity with a fixed `SCORING_SLOTS`: {shown}."


def _title(server: str) -> str:
    return "**ours**" if server == OURS else OVERLOAD_SERVERS[server].title


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
