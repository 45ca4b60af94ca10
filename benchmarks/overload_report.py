"""Writes the overload benchmark as a section of docs/benchmarks.md, with a picture."""

from __future__ import annotations

import math

from matplotlib.figure import Figure
from overload_cells import Cell
from overload_models import MODELS, OURS, OVERLOAD_SERVERS
from overload_targets import TARGETS, Results, least_goodput, most_refusal_ms, our_cells, probes_p99
from report import DOCS, OVERLOAD, machine, table, write_section

from mlops.load import goodput_picture
from mlops.svg import picture

PICTURE = "overload.svg"


def section(results: Results) -> str:
    """Return the section of the docs."""
    parts = [
        f"{OVERLOAD}\n\n"
        "`make bench-overload` writes this section. Each server is first loaded in a closed loop: "
        "that is its own\ncapacity. Then requests arrive at a constant rate, a multiple of it, and "
        "clients wait 5 s. *Goodput* is the number\nof answers within 200 ms (g200) or 500 ms "
        f"(g500), divided by the capacity; the second half of {results.seconds:g} s counts.\n"
        "Below capacity it can't be more than the load.\n"
        "`/liveness`, or what the server has for it, is probed five times a second. One worker, no "
        "cache; BentoML with the\nbest of the `max_concurrency` tried.\n"
        f"{machine()}; {results.minutes:.0f} minutes. The generator took at most "
        f"{_generator_cpu(results):.0%} of a processor.",
        f"![Goodput over offered load]({PICTURE})",
        _targets(results),
        _ours_by_model(results),
    ]
    for name, cells in results.cells.items():
        parts.append(f"### Model: {MODELS[name].title}\n\n{_cells(cells)}")
        if name in results.bentoml:
            parts.append(_bentoml(results.bentoml[name]))
    if results.unusable:
        reasons = "; ".join(f"{name}: {why}" for name, why in results.unusable.items())
        parts.append(f"Not measured: {reasons}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _generator_cpu(results: Results) -> float:
    return max(
        (cell.generator_cpu for cells in results.cells.values() for cell in cells.values()),
        default=0.0,
    )


def write(results: Results) -> None:
    """Write the section and its picture."""
    write_section(OVERLOAD, section(results))
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
        for server, cell in cells.items():
            goodput_picture.plot(
                axes,
                list(cell.loads.values()),
                model.limit_ms,
                linewidth=2.5 if server == OURS else 1,
                color=COLOURS[server],
                label=_title(server),
            )
        goodput_picture.plot_ideal(axes, most)
        axes.set_title(f"{model.title}\nwithin {model.limit_ms} ms", fontsize="small")
    named = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(named.values()),
        list(named),
        loc="outside lower center",
        ncols=columns + 1,
        fontsize="small",
    )
    return picture(figure, "svg")


COLOURS = dict(
    zip(
        OVERLOAD_SERVERS,
        ("#0067b8", "#d98a1f", "#2e8b57", "#8c6d31", "#c0392b", "#7a4fb5"),
        strict=True,
    )
)


def _targets(results: Results) -> str:
    rows = []
    for target in TARGETS:
        value = target.ratio(results)
        if not math.isnan(value):
            shown = format(value, ".0f" if 100 <= value < math.inf else ".3g")
            rows.append([target.what, target.bound, shown, target.verdict(value)])
    return table(["target, for the worst of our models", "bound", "measured", ""], rows)


def _ours_by_model(results: Results) -> str:
    header = ["ours", "goodput", "refused at 0.9", "MB more", "computed for one", "retries, g500"]
    rows = []
    for name, cell in our_cells(results).items():
        fixed = results.slots.get(name)
        rows.append(
            [
                MODELS[name].title,
                _number(least_goodput(name, cell), ".2f"),
                f"{cell.loads[0.9].refused:.1%}" if 0.9 in cell.loads else "",
                _number(cell.growth_mb, ".0f"),
                _number(cell.computed, ".1f"),
                _number(cell.retried_g500, ".2f"),
                f"{cell.capacity / max(fixed.values()):.2f} ({_by_setting(fixed)})"
                if fixed
                else "",
            ]
        )
    return table([*header, "capacity / the best fixed slots"], rows)


def _by_setting(fixed: dict[int, float]) -> str:
    return ", ".join(f"{slots}: {rate:.0f}/s" for slots, rate in fixed.items())


def _cells(cells: dict[str, Cell]) -> str:
    loads = sorted({load for cell in cells.values() for load in cell.loads})
    header = ["g200 / g500 at", "capacity/s", *(f"{load:g} times" for load in loads)]
    header += ["refusal P50 / P99, ms", "probes failed", "probe P99, ms", "recovery, s"]
    return table(
        header,
        (
            [f"**{name}**" if name == OURS else _title(name), *_figures(cell, loads)]
            for name, cell in cells.items()
        ),
    )


def _figures(cell: Cell, loads: list[float]) -> list[str]:
    refusals = [
        most_refusal_ms(figure)("", cell) for figure in ("refusal_p50_ms", "refusal_p99_ms")
    ]
    failed = sum(not probe.is_fine for probe in cell.probes)
    return [
        f"{cell.capacity:.1f}",
        *(_by_limit(cell.loads[load].within) if load in cell.loads else "" for load in loads),
        "never" if math.isnan(refusals[0]) else " / ".join(f"{it:.0f}" for it in refusals),
        f"{failed} of {len(cell.probes)}",
        _number(probes_p99(cell.probes), ".0f"),
        "none" if math.isinf(cell.recovery_s) else _number(cell.recovery_s, ".1f"),
    ]


def _by_limit(within: dict[float, float]) -> str:
    return " / ".join(f"{share:.2f}" for share in within.values())


def _bentoml(tried: dict[int, dict[float, float]]) -> str:
    shown = "; ".join(f"{limit}: {_by_limit(within)}" for limit, within in tried.items())
    return f"BentoML's `max_concurrency`, g200 / g500 at 2 times: {shown}. The best is above."


def _title(server: str) -> str:
    return OURS if server == OURS else OVERLOAD_SERVERS[server].title


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)
