"""How often a rollout judges predictions wrongly: its own comparison, of rows whose truth is known.

``python -m benchmarks.signals.predictions --write-docs`` (minutes) writes the table of
docs/rollout.md.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from mlops.endpoint import Endpoint, EndpointAnswer, EndpointError
from mlops.rollout.agreement import CHANCE, AgreementVerdict
from mlops.rollout.drawn_rows import ROWS_DRAWN
from mlops.rollout.questions import Questions
from mlops.rollout.same_rows import SameRows

PAGE = Path(__file__).parents[2] / "docs" / "rollout.md"
HEADING = "### How often predictions are judged wrongly"
AGREEMENT = 0.95
REGIONS = 10
REFUSED = "refused"

Rng = np.random.Generator
Answers = list[Any]


@dataclass(frozen=True)
class Case:
    """``old``: draws the old deployment's answers to so many rows. ``new``: the new one's, from
    those and each row's region; ``again``: what the old one answers when it is asked again."""

    title: str
    old: Callable[[Rng, int], np.ndarray]
    new: Callable[[Rng, np.ndarray, np.ndarray], np.ndarray]
    again: Callable[[Rng, np.ndarray], np.ndarray] = lambda rng, old: old
    rows: int = ROWS_DRAWN


class Known:
    """An endpoint whose two deployments give known answers, one for the first value of a row."""

    name = "known"

    def __init__(self, old: Answers, again: Answers, new: Answers) -> None:
        self._answers = {"old": itertools.chain(old, again), "new": iter(new)}

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        rows = orjson.loads(body)["data"]
        answers = list(itertools.islice(self._answers[str(deployment)], len(rows)))
        return EndpointAnswer(200, orjson.dumps({"predictions": answers}), 1.0)


def verdict(case: Case, rng: Rng) -> str:
    """Compare once, as a rollout does before the new deployment has any traffic."""
    old, regions = case.old(rng, case.rows), rng.integers(0, REGIONS, case.rows)
    known = Known(old.tolist(), case.again(rng, old).tolist(), case.new(rng, old, regions).tolist())
    rows = [[place, f"region {region}"] for place, region in enumerate(regions)]
    compared = SameRows(Questions(rows=rows), cast(Endpoint, known), "new", "old")
    try:
        compared.ask_old(AGREEMENT)
    except EndpointError:
        return REFUSED
    return str(compared.look().verdict(AGREEMENT))


def verdicts(case: Case, trials: int, seed: int = 0) -> Counter[str]:
    rng = np.random.default_rng(seed)
    return Counter(verdict(case, rng) for _ in range(trials))


def labels(rng: Rng, count: int) -> np.ndarray:
    return rng.choice([0, 1], count, p=[0.7, 0.3])


def skewed(rng: Rng, count: int) -> np.ndarray:
    return rng.lognormal(0, 2, count)


def several(rng: Rng, count: int) -> np.ndarray:
    """Three outputs; the last is constant."""
    return np.column_stack(
        [rng.normal(size=count), rng.lognormal(0, 2, count), np.full(count, 7.3)]
    )


def other_labels(share: float) -> Callable[..., np.ndarray]:
    return lambda rng, old, *_: np.where(rng.random(len(old)) < share, 1 - old, old)


def one_region(rng: Rng, old: np.ndarray, regions: np.ndarray) -> np.ndarray:
    return np.where(regions == 0, 1 - old, old)


def halved(share: float) -> Callable[..., np.ndarray]:
    return lambda rng, old, _: np.where(rng.random(len(old)) < share, old / 2, old)


def in_float32(rng: Rng, old: np.ndarray, _: np.ndarray) -> np.ndarray:
    return old.astype("float32").astype(float)


def retrained(rng: Rng, old: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Off by three hundredths of a standard deviation, on the scale of the target."""
    return old * np.exp(0.06 * rng.normal(size=len(old)))


def cases() -> Iterator[Case]:
    for share in (0, 2, 3, 5, 8, 10, 20):
        yield Case(f"{share} % of the labels differ", labels, other_labels(share / 100))
    for rows in (90, 200, 10_000):
        yield Case(f"8 %, {rows:,} rows by `--sample`", labels, other_labels(0.08), rows=rows)
    yield Case("none, 10 rows by `--sample`", labels, other_labels(0), rows=10)
    yield Case("all of one region in ten", labels, one_region)
    for share in (8, 100):
        yield Case(f"skewed target, {share} % of the answers halved", skewed, halved(share / 100))
    yield Case("skewed target, trained anew", skewed, retrained)
    yield Case("skewed target, float32", skewed, in_float32)
    yield Case("three outputs, one constant, float32", several, in_float32)
    for share in (1, 5):
        noise = other_labels(share / 200)
        yield Case(f"{share} % answered by chance, the same model", labels, noise, noise)
        more = other_labels(share / 200 + 0.08)
        yield Case(f"{share} % answered by chance, 8 % differ", labels, more, noise)


def table(trials: int) -> str:
    lines = [
        "| predictions | accepted | rolled back | undecided |",
        "|---|---|---|---|",
    ]
    for case in cases():
        found = verdicts(case, trials)
        if found[REFUSED]:
            lines.append(f"| {case.title} | refused before anything is changed | | |")
            continue
        cells = (
            f"{100 * found[verdict] / trials:g}"
            for verdict in (
                AgreementVerdict.AGREE,
                AgreementVerdict.DIFFER,
                AgreementVerdict.UNDECIDED,
            )
        )
        lines.append(f"| {case.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(page: Path, trials: int) -> None:
    """Replace the section of the page, up to the next heading."""
    figures = table(trials)
    text = page.read_text()
    start = text.index(HEADING)
    end = text.index("\n## ", start)
    how = (
        f"In per cent of {trials:,} comparisons each, of {ROWS_DRAWN:,} rows where nothing else is "
        f"said, by `make signals`;\n{AGREEMENT:.0%} must agree. Either verdict at just that share "
        f"is wrong in {CHANCE:.0%} at most, computed exactly\n"
        "(tests/unit/mlops/rollout/test_agreement.py)."
    )
    section = f"{HEADING}\n\n{how}\n\n{figures}\n"
    page.write_text(text[:start] + section + text[end:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--write-docs", action="store_true", help="Write docs/rollout.md.")
    options = parser.parse_args()
    if options.write_docs:
        write(PAGE, options.trials)
    else:
        print(table(options.trials))


if __name__ == "__main__":
    main()
