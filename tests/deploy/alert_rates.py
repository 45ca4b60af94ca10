"""Simulates how often alerts fire for nothing, and how soon they fire rightly: the tables of
docs/slo.md.

    make signals

writes them; `PYTHONPATH=tests python -m deploy.alert_rates` prints them. Requests come at random
(Poisson), and each fails by chance of its own; a month has 30 days.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from deploy import log_alerts
from deploy.alert_names import LOG_ALERTS, PROMETHEUS_ALERTS
from deploy.alert_outages import outage_table
from deploy.promql import Prometheus, Traffic, over

DAY, MONTH = 24 * 60, 30 * 24 * 60
"""Minutes."""

TRAFFIC = {"1/min": 1, "10/min": 10, "1/s": 60, "10/s": 600, "100/s": 6_000, "1,000/s": 60_000}
"""Requests a minute."""

PAGES = ("InferenceErrorRate", "InferenceErrorBudget1h")
LATE = 5
"""Minutes that a line takes, where nothing else is said."""

Fires = Callable[[Traffic], np.ndarray]

HALF = {
    "InferenceErrorRate": (0.005, 0, 0),
    "InferenceErrorBudget1h": (0.005, 0, 0),
    "InferenceErrorBudget6h": (0.003, 0, 0),
    "InferenceErrorBudget2d": (0.000625, 0, 0),
    "InferenceLatencyP95": (0, 0.025, 0),
    "InferenceLatencyP99": (0, 0.025, 0.005),
    "InferenceNonFinite": (0.005, 0, 0),
}
"""By alert: shares that fail, and that take longer than 200 and 500 ms, half of what it allows."""

FAULTS = {
    "InferenceErrorRate": ((1.0, 0, 0), 15),
    "InferenceErrorBudget1h": ((0.05, 0, 0), 60),
    "InferenceErrorBudget6h": ((0.01, 0, 0), 6 * 60),
    "InferenceErrorBudget2d": ((0.002, 0, 0), 48 * 60),
    "InferenceLatencyP95": ((0, 0.5, 0), 20),
    "InferenceLatencyP99": ((0, 0.1, 0.1), 20),
    "InferenceNonFinite": ((1.0, 0, 0), 30),
}
"""By alert: such shares of a fault at 1/s, and the minutes in which it must fire."""


def traffic(
    random: np.random.Generator,
    rate: float,
    shape: tuple[int, int],
    failed: float | np.ndarray = 0.0,
    slow: tuple[float, float] = (0.0, 0.0),
) -> Traffic:
    """Return so many services over so many minutes. ``failed``, ``slow``: shares."""
    requests = random.poisson(rate, shape)
    bad = random.binomial(requests, failed)
    ok = requests - bad
    over_200ms = random.binomial(ok, slow[0])
    over_500ms = random.binomial(over_200ms, slow[1] / slow[0] if slow[0] else 0.0)
    return Traffic(ok, bad, over_200ms, over_500ms)


def prometheus(name: str) -> Fires:
    return lambda given: Prometheus(given).firing(name)


def azure(name: str, late: int = LATE, phase: int = 0) -> Fires:
    """Return whether it has fired, by minutes, though it looks more seldom."""

    def fires(given: Traffic) -> np.ndarray:
        at, fired = log_alerts.firing(given, name, late=late, phase=phase)
        every = at[1] - at[0]
        by_minute = np.repeat(fired, every, axis=-1)
        begin = np.zeros((*fired.shape[:-1], int(at[0])), bool)
        length = given.ok.shape[-1]
        return np.concatenate([begin, by_minute], -1)[..., 1 : length + 1]

    return fires


def metric(above: float) -> Fires:
    """Return a metric alert's rule: the mean of five minutes, until three looks in a row are
    good."""
    return lambda given: over((over(given.failed, 5) / 5 > above).astype(int), 3) > 0


def begins(fired: np.ndarray) -> np.ndarray:
    """Return how often each row begins to fire."""
    return (fired[..., 1:] & ~fired[..., :-1]).sum(-1) + fired[..., 0]


def false_fires(name: str, platform: Callable[[str], Fires], rate: float, months: int) -> float:
    """Return how often an alert fires in a month at half of what it allows."""
    random = np.random.default_rng(29)
    failed, over_200ms, over_500ms = HALF[name]
    warm_up = 2 * DAY if name == "InferenceErrorBudget2d" else 0
    total = 0.0
    for _ in range(months):
        given = traffic(random, rate, (1, MONTH + warm_up), failed, (over_200ms, over_500ms))
        total += float(begins(platform(name)(given)[:, warm_up:]).sum())
    return total / months


def fault(rate: float, share: float, runs: int, minutes: int, before: int) -> Traffic:
    """Return services that begin to fail after so many minutes."""
    shares = np.where(np.arange(before + minutes) < before, 0.0005, share)
    return traffic(np.random.default_rng(29), rate, (runs, before + minutes), shares)


def first(fired: np.ndarray, before: int) -> np.ndarray:
    """Return the minutes from the fault to the alert; infinite if it does not fire."""
    after = fired[:, before:]
    return np.where(after.any(-1), after.argmax(-1) + 1.0, np.inf)


def fires_after(name: str, platform: Callable[[str], Fires], runs: int) -> np.ndarray:
    """Return the minutes from the alert's fault of FAULTS to the alert."""
    shares, most = FAULTS[name]
    before = 2 * DAY if name == "InferenceErrorBudget2d" else 65
    now = np.arange(before + most) >= before
    failed, over_200ms, over_500ms = (np.where(now, share, 0.0) for share in shares)
    random = np.random.default_rng(29)
    requests = random.poisson(60, (runs, before + most))
    bad = random.binomial(requests, failed)
    slow = random.binomial(requests - bad, over_200ms)
    stuck = random.binomial(slow, np.where(over_200ms > 0, over_500ms / max(shares[1], 1e-9), 0.0))
    return first(platform(name)(Traffic(requests - bad, bad, slow, stuck)), before)


def page_after(rate: float, share: float, runs: int, late: int | None = None) -> np.ndarray:
    """Return the minutes to the first page, on Prometheus, or on Azure in any phase of its looks
    with lines so many minutes ``late``; infinite if it takes more than two hours."""
    before = 65
    given = fault(rate, share, runs, 120, before)
    if late is None:
        return np.min([first(prometheus(name)(given), before) for name in PAGES], 0)
    return np.concatenate(
        [
            np.min([first(azure(name, late, phase)(given), before) for name in PAGES], 0)
            for phase in range(5)
        ]
    )


def ticket_after(rate: float, platform: Callable[[str], Fires], runs: int) -> np.ndarray:
    """Return the hours until a service that always fails 0.2 % has its ticket."""
    given = fault(rate, 0.002, runs, 2 * DAY, 2 * DAY)
    return first(platform("InferenceErrorBudget2d")(given), 2 * DAY) / 60


def flapping(platform: Callable[[str], Fires], runs: int) -> float:
    """Return the pages of six hours in which all requests fail for 2 of every 12 minutes."""
    minutes = np.arange(9 * 60)
    shares = np.where((minutes >= 60) & (minutes < 7 * 60) & (minutes % 12 < 2), 1.0, 0.0)
    given = traffic(np.random.default_rng(29), 6_000, (runs, len(minutes)), shares)
    return float(sum(begins(platform(name)(given)) for name in PAGES).mean())


def clumped(platform: Callable[[str], Fires], rate: float, months: int) -> float:
    """Return the pages of a month if 0.5 % fail, five at a time."""
    random = np.random.default_rng(29)
    requests = random.poisson(rate, (months, MONTH))
    bad = np.minimum(requests, 5 * random.poisson(rate * 0.005 / 5, requests.shape))
    given = Traffic(requests - bad, bad, 0 * bad, 0 * bad)
    return float(sum(begins(platform(name)(given)) for name in PAGES).mean())


def ends_after(platform: Callable[[str], Fires]) -> float:
    """Return the minutes for which a page goes on where no request follows the fault."""
    shares = np.where(np.arange(60 + 5) < 60, 0.0, 1.0)
    given = traffic(np.random.default_rng(29), 60, (1, 65), shares)
    none = np.zeros((1, 24 * 60), int)
    quiet = Traffic(*(np.concatenate([each, none], -1) for each in vars(given).values()))
    fired = np.any([platform(name)(quiet) for name in PAGES], 0)[0]
    return float(len(fired) - fired[::-1].argmax() - 65)


def sampled(given: Traffic, share: float) -> Traffic:
    """Return what is left if so many lines are lost."""
    random = np.random.default_rng(30)
    return Traffic(*(random.binomial(each, 1 - share) for each in vars(given).values()))


def shown(value: float) -> str:
    if math.isinf(value):
        return "never"
    return "0" if value == 0 else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def both(name: str) -> dict[str, Callable[[str], Fires]]:
    platforms = {"Prometheus": (prometheus, PROMETHEUS_ALERTS), "Azure": (azure, LOG_ALERTS)}
    unknown = () if name != "InferenceNonFinite" else ("Azure",)
    return {
        title: make
        for title, (make, has) in platforms.items()
        if name in has and title not in unknown
    }


def false_table(months: int) -> Iterator[str]:
    for name in HALF:
        for title, platform in both(name).items():
            found = [false_fires(name, platform, rate, months) for rate in TRAFFIC.values()]
            yield row(f"`{name}`", title, *map(shown, found))
    for peak in ("at the peak that it is told",):
        found = []
        for rate in TRAFFIC.values():
            given = traffic(np.random.default_rng(29), rate, (months, MONTH), 0.005)
            above = max(10, math.ceil(0.01 * rate))
            found.append(float(begins(metric(above)(given)).mean()))
        yield row("`InferenceEndpointFailing`", f"metric, {peak}", *map(shown, found))


def fault_table(runs: int) -> Iterator[str]:
    for share in (1.0, 0.3, 0.1, 0.05, 0.02, 0.015):
        cells = []
        for rate in TRAFFIC.values():
            pair = (page_after(rate, share, runs), page_after(rate, share, runs, LATE))
            cells.append(" / ".join(shown(float(np.median(found))) for found in pair))
        yield row(f"{share:.1%}", *cells)


def case_table(runs: int) -> Iterator[str]:
    for late in (0, 2, 5, 8):
        found = page_after(60, 1.0, runs, late)
        yield row(
            f"all requests fail, 1/s, lines {late} minutes late, every phase of Azure's looks",
            "",
            f"{np.isfinite(found).mean():.0%} fire, after {found.max():.0f} minutes at the latest",
        )
    pair = page_after(60, 0.1, runs), page_after(60, 0.1, runs, LATE)
    yield row(
        "one of ten pods fails all its requests, 1/s",
        *(f"after {np.median(found):.0f} minutes" for found in pair),
    )
    given = sampled(fault(60, 0.1, runs, 120, 65), 0.5)
    found = np.min([first(azure(name)(given), 65) for name in PAGES], 0)
    yield row("the same, half of the lines are lost", "", f"after {np.median(found):.0f} minutes")
    for rate in ("10/min", "1/s", "10/s"):
        pair = [ticket_after(TRAFFIC[rate], each, runs) for each in (prometheus, azure)]
        yield row(
            f"0.2 % fail all the time, {rate}",
            *(
                f"{np.isfinite(f).mean():.0%} have a ticket in 2 days, in {np.median(f):.0f} hours"
                for f in pair
            ),
        )
    yield row(
        "all requests fail for 2 of every 12 minutes, for 6 hours",
        *(f"{flapping(each, runs):.1f} pages" for each in (prometheus, azure)),
    )
    for label in ("10/min", "1/s", "10/s"):
        found = [clumped(each, TRAFFIC[label], max(1, runs // 20)) for each in (prometheus, azure)]
        yield row(
            f"0.5 % fail, five at a time, {label}", *(f"{shown(f)} pages a month" for f in found)
        )
    yield row(
        "a fault of 5 minutes, and no request after it",
        *(f"the alert ends after {ends_after(each):.0f} minutes" for each in (prometheus, azure)),
    )


def table(head: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    cells = list(head)
    yield row(*cells)
    yield "|" + "---|" * len(cells)
    yield from rows


def page(months: int, runs: int) -> str:
    """Return the tables with what they show."""
    return "\n".join(
        [
            f"How often alerts fire in a month at half of what they allow (mean of {months} months;"
            f" lines {LATE} minutes late):",
            "",
            *table(["alert", "on", *TRAFFIC], false_table(months)),
            "",
            "Minutes from the fault to the first page, median: Prometheus / Azure's logs,"
            f" lines {LATE} minutes late:",
            "",
            *table(["fails", *TRAFFIC], fault_table(runs)),
            "",
            *table(["what happens", "Prometheus", "Azure's logs"], case_table(runs)),
            "",
            "Minutes to the alerts on readiness, of ten servers, in the worst phase of Azure's"
            f" looks, rows {LATE} minutes late:",
            "",
            *table(["what happens", "Prometheus", "AKS", "managed endpoint"], outage_table(LATE)),
        ]
    )


BEGIN, END = "<!-- written by make signals: alerts -->", "<!-- end of alerts -->"


def written(text: str, tables: str) -> str:
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    tables = page(months=20, runs=200)
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
        path.write_text(written(path.read_text(), tables))
    else:
        print(tables)
