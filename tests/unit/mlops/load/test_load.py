import dataclasses
from pathlib import Path

import numpy as np
import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import support
from azureml_scoring.client.model_status import STATUS_HEADER, model_status
from mlops.cli import main
from mlops.exit_status import ExitStatus
from mlops.load import mix, report, stages
from mlops.load.figures import Objectives, checks, figures_of
from mlops.load.mix import Mix, RequestKind, as_it_should
from mlops.load.progress import Progress
from mlops.load.run import LoadRun, SentRequest
from mlops.load.stages import Stage, arrivals

ROWS = [[1.0, "a"], [2.0, "b"], [3.0, "c"]]


def asked(
    latency_ms: float = 1.0, status: int = 200, *, due_s: float = 0.0, stage: int = 0
) -> SentRequest:
    return SentRequest(stage, RequestKind.GOOD, due_s, 0.0, latency_ms, status)


def result(answers: list[SentRequest], *, cpu: float | None = 0.1) -> report.Result:
    return report.Result(
        "http://h/score", "now", [Stage(1, 10), Stage(1, 20)], Objectives(), LoadRun(answers, cpu)
    )


@given(st.lists(st.builds(Stage, st.integers(1, 600), st.integers(1, 5000)), min_size=1))
def test_stages_are_read_as_they_are_written(given_: list[Stage]):
    """There may be any number of them."""
    assert list(stages.parse(",".join(map(str, given_)))) == given_


def test_stages_may_be_in_minutes_and_hours():
    """They may have fractions of seconds too."""
    assert stages.parse("1.5s@2, 2m@0.5,1h@1") == (Stage(1.5, 2), Stage(120, 0.5), Stage(3600, 1))


@given(st.lists(st.builds(Stage, st.integers(1, 9), st.integers(1, 50)), min_size=1, max_size=4))
def test_arrivals_are_even_and_wait_for_nobody(given_: list[Stage]):
    """Each stage has its requests within its time, at its rate."""
    found = list(arrivals(given_))
    begins = 0.0
    for place, stage in enumerate(given_):
        times = [due for which, due in found if which == place]
        assert times == pytest.approx(begins + np.arange(stage.requests) / stage.rate)
        begins += stage.seconds


def test_a_mix_makes_what_it_says():
    """Good rows are of known values, cached ones always the same, large ones as many as the service
    takes."""
    made = Mix(ROWS, mix.DEFAULT_SHARES)
    values = list(zip(*ROWS, strict=True))
    for kind in (RequestKind.GOOD, RequestKind.LARGE) * 50:
        rows = orjson.loads(made.body(kind))["data"]
        assert len(rows) == (mix.LARGE_ROWS if kind is RequestKind.LARGE else 1)
        assert all(value in values[place] for row in rows for place, value in enumerate(row))
    assert made.body(RequestKind.CACHED) == made.body(RequestKind.CACHED)


def test_a_mix_keeps_its_shares():
    """It is the same each time."""
    first, second = (Mix(ROWS, {RequestKind.GOOD: 3, RequestKind.BAD: 1}) for _ in range(2))
    kinds = [first.next()[0] for _ in range(4000)]
    assert kinds == [second.next()[0] for _ in range(4000)]
    assert kinds.count(RequestKind.BAD) == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "status", "fine"),
    [
        (RequestKind.GOOD, 200, True), (RequestKind.GOOD, 422, False),
        (RequestKind.GOOD, 0, False), (RequestKind.LARGE, 503, False),
        (RequestKind.BAD, 422, True), (RequestKind.BAD, 200, False),
        (RequestKind.BAD, 500, False), (RequestKind.BAD, 429, False),
    ],
)  # fmt: skip
def test_what_should_be_refused_is_no_error_when_it_is(kind: RequestKind, status: int, fine: bool):
    """It is one when it is answered, or when nobody looked at it."""
    assert as_it_should(kind, status) is fine


@pytest.mark.parametrize(
    ("status", "said", "own"), [(424, "422", 422), (424, "", 424), (200, "500", 200)]
)
def test_a_managed_endpoints_424_is_decoded(status: int, said: str, own: int):
    """The model's own status counts."""
    assert model_status(status, {STATUS_HEADER: said}) == own


def test_bodies_are_sent_all_alike_often():
    """In each round comes each once, in an order that is the same each time."""
    first, second = (mix.Bodies(["1", "2", "3"]) for _ in range(2))
    bodies = [first.next() for _ in range(9)]
    assert bodies == [second.next() for _ in range(9)]
    for begin in (0, 3, 6):
        assert {body for _, body in bodies[begin : begin + 3]} == {b"1", b"2", b"3"}


@given(st.lists(st.floats(0.1, 1000), min_size=1))
def test_percentiles_are_latencies_that_were(latencies: list[float]):
    """Each is a latency that this share of the requests, or more, did not exceed."""
    figures = figures_of([asked(latency) for latency in latencies])
    for q, value in ((0.5, figures.p50_ms), (0.95, figures.p95_ms), (0.99, figures.p99_ms)):
        assert value in latencies
        assert sum(latency <= value for latency in latencies) >= q * len(latencies) - 1e-9


def test_objectives_are_told_apart():
    """Each breaks alone."""
    slow, worst = [asked(300.0)] * 6, [asked(600.0)] * 2
    cases = {
        "P95": [asked()] * 94 + slow,
        "P99": [asked()] * 98 + worst,
        "errors": [asked()] * 98 + [asked(status=422)] * 2,
        "availability": [asked()] * 199 + [asked(status=503)],
    }
    for name, answers in cases.items():
        assert [
            check.objective
            for check in checks(figures_of(answers), Objectives())
            if not check.holds
        ] == [name]


def test_an_objective_is_not_met_at_its_limit():
    """The limits are < and >, as the report prints them."""
    one_in_a_hundred = figures_of([asked()] * 99 + [asked(status=422)])
    assert [
        check.objective for check in checks(one_in_a_hundred, Objectives()) if not check.holds
    ] == ["errors"]
    one_in_a_thousand = figures_of([asked()] * 999 + [asked(status=503)])
    found = checks(one_in_a_thousand, Objectives())
    assert [check.objective for check in found if not check.holds] == ["availability"]


def test_each_stage_must_hold():
    """One bad stage is not hidden by a good one before it; the sentence names it."""
    good = [asked()] * 10_000
    assert result(good).holds
    found = result([*good, *[asked(700.0, stage=1)] * 20])
    assert not found.holds
    assert found.broken == ["P95 700 ms (< 200 ms) at 1s@20", "P99 700 ms (< 500 ms) at 1s@20"]


def test_a_run_that_was_stopped_is_no_success():
    """Good figures until then do not matter."""
    assert result([asked()], cpu=None).outcome == "stopped early"
    assert not result([asked()], cpu=None).holds


def test_a_generator_at_its_limit_is_told(tmp_path: Path):
    """The report says that its own limit may be what was measured."""
    found = result([asked()], cpu=0.97)
    assert "97% of a processor" in found.note
    assert found.note in report.write(found, tmp_path).read_text()


def test_a_terminal_shows_each_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """On stderr, in one line, which the stages' lines replace; elsewhere only those are printed."""
    given_ = [
        asked(due_s=second + part / 4, latency_ms=5.0) for second in range(3) for part in range(4)
    ]
    for lives in (True, False):
        monkeypatch.setattr("sys.stderr.isatty", lambda lives=lives: lives)
        progress = Progress([Stage(3, 4)])
        for each in given_:
            progress(each)
        progress.over(given_)
        output, shown = capsys.readouterr()
        assert output.strip() == "3s@4  12 requests, P50 5.0 P95 5.0 P99 5.0 ms, 0 failed"
        assert shown.count("\r\x1b[K") == (3 if lives else 0)
        assert ("7 to go" in shown) is lives


def test_the_report_comes_with_its_figures(tmp_path: Path):
    """requests.csv has each request, figures.json what the page shows."""
    found = result([asked(due_s=i / 10, latency_ms=i + 1) for i in range(10)])
    report.write(found, tmp_path)
    lines = (tmp_path / "requests.csv").read_text().splitlines()
    assert lines[0] == "stage,kind,due_s,waited_ms,latency_ms,status,fine"
    assert len(lines) == 11
    figures = orjson.loads((tmp_path / "figures.json").read_bytes())
    assert figures["total"] == dataclasses.asdict(found.total)
    assert figures["outcome"] == "within the SLO"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stages", "50"], "30s@50,2m@200"),
        (["--stages", "1s@0"], "30s@50,2m@200"),
        (["--mix", "good"], "good=70,cached=20"),
        (["--mix", "good=0"], "at least one kind"),
        (["--mix", "fast=1"], "good=70,cached=20"),
        (["--open", "half"], "as 0.5,0.9,1.2,2,5."),
        (["--open", "0,1"], "multiples of the capacity above 0"),
        (["--open", "2", "--stages", "1s@5"], "Give either --stages or --open."),
        (["--open", "2", "--out", "/dev/null/report"], "choose another place"),
        (["--errors", "101"], "give a percentage above 0 and up to 100."),
        (["--errors", "0"], "give a percentage above 0 and up to 100."),
        (["--availability", "100"], "give a percentage from 0 and below 100."),
        (["--out", "/dev/null/report"], "choose another place"),
    ],
)
def test_wrong_use_of_load_is_told(demo_model: Path, words: list[str], said: str):
    """Nothing is sent, and the error says what to write."""
    done = CliRunner().invoke(
        main, ["load", "http://localhost:1", "--model-dir", str(demo_model), *words]
    )
    assert done.exit_code in (ExitStatus.USAGE, ExitStatus.UNUSABLE)
    assert said in " ".join(done.output.split())


def test_an_address_that_is_none_is_told(demo_model: Path):
    """The error is that of `mlops score`."""
    done = CliRunner().invoke(main, ["load", "ftp://localhost", "--model-dir", str(demo_model)])
    assert done.exit_code == 2
    assert "http:// or https://" in done.output


def test_no_load_where_one_request_fails(demo_model: Path, tmp_path: Path):
    """One goes ahead; its failure is one sentence."""
    url = f"http://localhost:{support.free_port()}"
    done = CliRunner().invoke(
        main, ["load", url, "--model-dir", str(demo_model), "--out", str(tmp_path)]
    )
    assert done.exit_code == ExitStatus.SERVER
    assert "can't be reached" in done.output


def test_a_model_that_was_not_packaged_is_refused(tmp_path: Path):
    """Its only row would be answered by the cache, and be within any objective."""
    file = support.dump(support.demo_estimator(), tmp_path, "model.joblib")
    done = CliRunner().invoke(
        main,
        [
            "load",
            "http://127.0.0.1:9",
            "--model-dir",
            str(file.parent),
            "--out",
            str(tmp_path / "out"),
        ],
    )
    assert done.exit_code == ExitStatus.UNUSABLE
    assert "it measures the cache: package the model" in done.output
