import math
import sys
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from mlops.load.goodput import Goodput
from mlops.load.mix import RequestKind
from mlops.load.run import SentRequest
from places import REPOSITORY

BENCHMARKS = REPOSITORY / "benchmarks"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripts' modules have names that other scripts may have too."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "estimators"))
    yield
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def sent(due_s: float, latency_ms: float, status: int = 200) -> SentRequest:
    return SentRequest(0, RequestKind.GOOD, due_s, 0.0, latency_ms, status)


def at(load: float, g200: float, g500: float, *, refused: float = 0.0, after_ms: float = math.nan):
    return Goodput(load, 20.0, {200.0: g200, 500.0: g500}, refused, 60.0, after_ms, after_ms)


@pytest.mark.parametrize(
    ("bad_until_s", "expected_s"), [(0.0, 0.0), (0.35, 0.4), (1.05, 1.1), (9.0, math.inf)]
)
def test_recovery_is_when_latency_is_normal_for_half_a_second(
    bad_until_s: float, expected_s: float
):
    """Before it come the overload's requests, which do not count."""
    from overload_cells import recovery

    overload = [sent(i / 10, 9000.0, 503) for i in range(50)]
    after = [sent(5 + i / 10, 900.0 if i / 10 < bad_until_s else 50.0) for i in range(30)]
    assert recovery([*overload, *after], 5.0, 75.0) == pytest.approx(expected_s)


def test_a_refusal_is_not_normal():
    """However quick it is."""
    from overload_cells import recovery

    assert recovery([sent(i / 10, 1.0, 503) for i in range(30)], 0.0, 75.0) == math.inf


def results() -> Any:
    from overload_cells import Cell
    from overload_targets import Results
    from overload_watch import Probe

    made = Results(seconds=5.0)
    ours = Cell(20.0, {0.9: at(0.9, 0.9, 0.9), 2.0: at(2, 0.97, 1.0, refused=0.5, after_ms=2.0)})
    ours.probes = [Probe(True, 3.0)] * 99 + [Probe(False, 2000.0)]
    ours.recovery_s = 0.4
    peer = Cell(19.0, {2.0: at(2, 0.0, 0.1)}, recovery_s=math.inf)
    made.cells = {"gil": {"ours": ours, "fastapi": peer}}
    made.slots = {"gil": {1: 16.0, 2: 25.0}}
    made.bentoml = {"gil": {3: {200.0: 0.6, 500.0: 0.9}}}
    return made


def test_the_section_says_which_targets_were_reached():
    """What was not measured is left out; peers that do not recover or refuse are shown so."""
    from overload_report import section

    text = section(results())
    assert text.startswith("## Overload\n")
    assert "| at least 0.95 | 0.97 | reached |" in text
    assert "| refused at 0.9 times, share | at most 0.01 | 0 | reached |" in text
    assert "| probes failed, also at 900 connections | at most 0 | 1 | **not reached** |" in text
    assert "| at least 0.9 | 0.8 | **not reached** |" in text  # slots
    assert "micro-batching" not in text
    assert "| **ours** | 20.0 | 0.90 / 0.90 | 0.97 / 1.00 | 2 / 2 | 1 of 100 |" in text
    assert "| FastAPI + scikit-learn | 19.0 |  | 0.00 / 0.10 | never | 0 of 0 |  | none |" in text
    assert "`max_concurrency`, g200 / g500 at 2 times: 3: 0.60 / 0.90" in text


def test_the_picture_shows_each_server():
    """It is SVG, one plot for each model."""
    from overload_report import draw

    assert ElementTree.fromstring(draw(results())).tag.endswith("svg")


def test_the_section_stays_when_the_page_is_written_anew():
    """It replaces the one of an earlier run."""
    from report import OVERLOAD, section_of, with_section

    page = "# Page\n\nwords\n"
    once = with_section(page, OVERLOAD, "## Overload\n\nfirst\n")
    assert once == "# Page\n\nwords\n\n## Overload\n\nfirst\n"
    more = f"{once}\n## Notes\n\nlast\n"
    assert with_section(more, OVERLOAD, "## Overload\n\nnew\n") == more.replace("first", "new")
    assert section_of(more, OVERLOAD) == "## Overload\n\nfirst\n"
    assert with_section(page, OVERLOAD, section_of(page, OVERLOAD)) == page


def test_peers_get_only_the_loads_that_tell_something():
    """Below capacity it is only what normal latency is."""
    from argparse import Namespace

    from overload_bench import PARTS, loads_of

    options = Namespace(parts=PARTS, loads=[0.5, 0.9, 1.2, 5.0])
    assert loads_of("ours", options) == [0.5, 0.9, 1.2, 5.0]
    assert loads_of("fastapi", options) == [0.5, 1.2, 5.0]


def test_the_models_work_is_fixed(monkeypatch: pytest.MonkeyPatch):
    """One body in twenty is heavy; the work does not depend on the time it takes."""
    import slow_models
    from overload_models import MODELS, OVERLOAD_SERVERS, bodies

    done: list[int] = []
    monkeypatch.setattr(slow_models, "multiply", done.append)
    from overload_models import BODIES, _rows

    rows = _rows()
    model = slow_models.Bimodal(2, 80).fit(rows)
    for row in rows:
        model.predict(np.array([row]))
    assert sorted(done) == [2] * (BODIES - 1) + [80]
    assert len(bodies(OVERLOAD_SERVERS["mlserver"], MODELS["bimodal"], rows.tolist())) == BODIES
