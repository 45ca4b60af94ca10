"""`mlops load` against real servers."""

import csv
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import pytest
from click.testing import CliRunner

from blackbox.managed import KEY, managed, managed_env
from blackbox.server import ONE_WORKER, PATIENCE, REPOSITORY, Server, serving, until
from blackbox.test_metrics import scraped
from mlops.cli import main
from mlops.exit_status import ExitStatus
from mlops.load import overload
from mlops.load.mix import RequestKind
from template import COMMAND, Forked

GENEROUS = ("--p95-ms", "1e6", "--p99-ms", "1e6")
"""No test depends on how long it took."""


def load(url: str, model: Path, out: Path, *words: str, **env: str) -> Forked:
    options = ["--model-dir", str(model), "--out", str(out), "--connections", "20"]
    return Forked(
        ["-m", "mlops", "load", url, *options, *words],
        cwd=REPOSITORY,
        env=os.environ | env,
        output=out.with_name(f"{out.name}.log"),
        imported=COMMAND,
    )


def ended(process: Forked) -> str:
    process.wait(timeout=PATIENCE)
    return process.output.read_text()


def requests_of(out: Path) -> list[dict[str, str]]:
    with (out / "requests.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def server(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(demo_model, tmp_path_factory.mktemp("server"), **ONE_WORKER) as server:
        yield server


def answered(server: Server) -> float:
    return sum(v for key, v in scraped(server).items() if key[0] == "scoring_requests_total")


def test_a_run_asks_what_it_was_told_to(server: Server, demo_model: Path, tmp_path: Path):
    """The server counts the same requests; the page has the verdict, and the files beside it the
    figures."""
    before = answered(server)
    process = load(server.url, demo_model, tmp_path, "--stages", "1s@40,1s@80", *GENEROUS)
    output = ended(process)
    assert process.returncode == 0, output
    until(
        lambda: answered(server) == before + 1 + 120, "all are counted, and the one that went ahead"
    )
    requests = requests_of(tmp_path)
    assert [sum(row["stage"] == stage for row in requests) for stage in "01"] == [40, 80]
    assert {row["kind"] for row in requests} == set(RequestKind)
    assert {row["status"] for row in requests if row["kind"] == "bad"} <= {"400", "422"}
    assert {row["status"] for row in requests if row["kind"] != "bad"} == {"200"}
    figures = orjson.loads((tmp_path / "figures.json").read_bytes())
    assert (figures["outcome"], figures["total"]["error_rate"]) == ("within the SLO", 0)
    assert "within the SLO" in (tmp_path / "report.html").read_text()
    assert output.endswith(f"within the SLO; {tmp_path / 'report.html'}\n")


def test_a_server_that_stalls_is_charged_for_what_would_have_come(
    server: Server, demo_model: Path, tmp_path: Path
):
    """A stall holds up only two connections, but a hundred requests a second stay due."""
    before = answered(server)
    words = ("--stages", "3s@100", "--connections", "2", "--mix", "good=1", "--p95-ms", "9")
    process = load(server.url, demo_model, tmp_path, *words)
    until(lambda: answered(server) > before + 50, "it is under way")
    begun = time.monotonic()
    processes = [psutil.Process(each) for each in (server.process.pid, *server.workers())]
    for each in processes:
        each.suspend()
    time.sleep(1)
    for each in processes:
        each.resume()
    stalled_ms = 1000 * (time.monotonic() - begun)
    output = ended(process)
    assert process.returncode == 1, output
    assert "P95" in output
    latencies = [float(row["latency_ms"]) for row in requests_of(tmp_path)]
    assert len(latencies) == 300
    assert max(latencies) > 0.9 * stalled_ms
    assert sum(latency > stalled_ms / 2 for latency in latencies) > 0.9 * (stalled_ms / 2) / 10


def test_a_managed_endpoint_is_asked_with_its_key(server: Server, demo_model: Path, tmp_path: Path):
    """TLS is checked, the model's own status is read behind 424, and the key appears nowhere."""
    with managed(server, tmp_path) as front:
        words = (
            "--stages",
            "1s@40",
            "--mix",
            "good=1,bad=1",
            "--key-env",
            "SCORING_KEY",
            *GENEROUS,
        )
        process = load(
            front.url,
            demo_model,
            tmp_path / "out",
            *words,
            **managed_env(tmp_path),
            SCORING_KEY=KEY,
        )
        output = ended(process)
    assert process.returncode == 0, output
    statuses = {(row["kind"], row["status"]) for row in requests_of(tmp_path / "out")}
    assert statuses == {("good", "200"), ("bad", "400"), ("bad", "422")}
    assert not any(KEY in file.read_text() for file in (tmp_path / "out").iterdir())


def test_a_server_that_is_gone_counts_as_no_answer(demo_model: Path, tmp_path: Path):
    """The run goes on to its end and says so."""
    with serving(demo_model, tmp_path, **ONE_WORKER) as server:
        process = load(server.url, demo_model, tmp_path, "--stages", "2s@50")
        until(lambda: answered(server) > 20, "it is under way")
        server.stop()
        output = ended(process)
    assert process.returncode == 1
    assert "availability" in output
    assert len(requests_of(tmp_path)) == 100
    assert requests_of(tmp_path)[-1]["status"] == "0"


def test_ctrl_c_leaves_a_report_of_what_was(server: Server, demo_model: Path, tmp_path: Path):
    """A report is written, and no process is left."""
    before = answered(server)
    process = load(server.url, demo_model, tmp_path, "--stages", "1m@50")
    until(lambda: answered(server) > before + 50, "it is under way")
    (generator,) = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    output = ended(process)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert f"stopped early; {tmp_path / 'report.html'}\n" in output
    assert not generator.is_running()


def test_ctrl_c_before_any_answer_is_no_error_of_the_generator(
    server: Server, demo_model: Path, tmp_path: Path
):
    """The command says that there is nothing to report."""
    process = load(server.url, demo_model, tmp_path, "--stages", "1m@0.1", "--connections", "500")
    until(lambda: psutil.Process(process.pid).children(), "it is under way")
    process.send_signal(signal.SIGINT)
    assert ended(process).strip() == "Aborted!"
    assert process.returncode == ExitStatus.INTERRUPTED


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_no_load_goes_on_without_whoever_asked_for_it(
    server: Server, demo_model: Path, tmp_path: Path, end: signal.Signals
):
    """A cancelled pipeline leaves no process behind."""
    before = answered(server)
    process = load(server.url, demo_model, tmp_path, "--stages", "1m@50")
    until(lambda: answered(server) > before + 50, "it is under way")
    (generator,) = psutil.Process(process.pid).children()
    process.send_signal(end)
    ended(process)
    until(lambda: not generator.is_running(), "the generator has ended")


def test_goodput_is_drawn_over_offered_load(
    server: Server, demo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The capacity is measured first. The picture and its figures are all that is written."""
    for name, seconds in {"CAPACITY_S": 1.0, "LOAD_S": 2.0, "REST_S": 0.2}.items():
        monkeypatch.setattr(overload, name, seconds)
    words = ["--model-dir", str(demo_model), "--out", str(tmp_path), "--open", "0.5,1.5"]
    done = CliRunner().invoke(main, ["load", server.url, *words])
    assert done.exit_code == 0, done.output
    assert [line.split(" times, ")[0] for line in done.output.splitlines()[:2]] == ["0.5", "1.5"]
    assert {file.name for file in tmp_path.iterdir()} == {"goodput.svg", "goodput.json"}
    figures = orjson.loads((tmp_path / "goodput.json").read_bytes())
    half, _ = figures["loads"]
    assert half["capacity"] > 0
    assert half["load"] == pytest.approx(0.5)
    assert 0 < half["within"]["500.0"] < 1


def test_a_report_that_can_not_be_written_is_told(server: Server, demo_model: Path, tmp_path: Path):
    """One sentence says why."""
    (tmp_path / "requests.csv").mkdir()
    process = load(server.url, demo_model, tmp_path, "--stages", "1s@5")
    assert ended(process).endswith(
        f"Error: {tmp_path / 'requests.csv'} is not a file; move it away, or name another place.\n"
    )
    assert process.returncode == ExitStatus.UNUSABLE
