import sys
from typing import Any

import pytest

from places import REPOSITORY

BENCHMARKS = REPOSITORY / "benchmarks"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import report

    return report


def figures(rate: float, p99: float = 1.0) -> dict[str, float]:
    return {"requests_per_second": rate, "p50_ms": 0.5, "p99_ms": p99}


def test_the_report_says_which_targets_were_reached(report: Any):
    """Targets that were not measured are left out."""
    results = {
        report.key("fast", "logistic", 1, 4): figures(3000),
        report.key("fastapi-onnx", "logistic", 1, 4): figures(1000),
        report.key("granian", "logistic", 1, 4): figures(9000),
    }
    text = report.markdown(results, {"bentoml": "could not be installed: no such thing"}, "1 round")
    assert "| ours / FastAPI + ONNX Runtime, one row | at least 2.5 | 3.00 | reached |" in text
    assert "| ours / granian answering a constant | at least 0.5 | 0.33 | **not reached** |" in text
    assert "MLServer, one row" not in text
    assert "BentoML: could not be installed: no such thing" in text


def test_every_server_that_is_named_is_shown(report: Any):
    """Each has its ratio to the reference."""
    results = {report.key(name, "logistic", 1, 4): figures(500) for name in report.SERVERS}
    text = report.markdown(results, {}, "1 round")
    for server in report.SERVERS.values():
        assert f"{server.title}" in text
    assert text.count("| 500 | 1.00 |") == len(report.SERVERS)


def test_the_picture_is_xml_with_the_longest_bar_first(monkeypatch: pytest.MonkeyPatch):
    """Labels are escaped."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from xml.etree import ElementTree

    from picture import bars

    root = ElementTree.fromstring(bars({"a & b": [("small", 1.0, False), ("<large>", 10.0, True)]}))
    texts = [element.text for element in root if element.tag.endswith("text")]
    assert texts == ["a & b", "<large>", "10", "small", "1"]
    widths = [
        int(element.attrib["width"])
        for element in root
        if "x" in element.attrib and "fill" in element.attrib
    ]
    assert widths == [560, 56]


def test_turns_show_the_median_and_the_spread_of_each_ratio(monkeypatch: pytest.MonkeyPatch):
    """They also show the processor time of a request."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import turns

    taken = [
        {
            (name, *rest): figures(rate if name == "fast" else 1000) | {turns.PROCESSOR: 50.0}
            for name, *rest in turns.target_cells()
        }
        for rate in (2000, 3000, 7000)
    ]
    assert (
        "| ours / FastAPI + ONNX Runtime, one row | at least 2.5 | 3.00 | 2.00 to 7.00 | reached |"
        in turns.ratios(taken)
    )
    assert "| ours, as make serve starts it | logistic | 1 | 3,000 | 50 |" in turns.costs(taken)


def test_each_peer_is_pinned():
    """Otherwise the figures of two runs would be of different software."""
    for file in BENCHMARKS.glob("peers/*/requirements.txt"):
        lines = [
            line for line in file.read_text().splitlines() if line and not line.startswith("#")
        ]
        assert lines
        assert all("==" in line for line in lines), file


@pytest.fixture(autouse=True)
def forget_modules() -> Any:
    """The scripts' modules have names that other scripts may have too."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
