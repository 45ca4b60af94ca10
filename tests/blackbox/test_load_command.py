"""`mlops load` against real servers."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import psutil
import pytest

import support
from blackbox.browser import browsing
from blackbox.managed import KEY, managed, managed_env
from blackbox.server import PATIENCE, REPOSITORY, THREADS, serving, until
from blackbox.test_metrics import scraped

MLOPS = [sys.executable, "-m", "mlops"]
ENV = os.environ | {"PYTHONPATH": str(REPOSITORY)}


def load(url: str, model: Path, out: Path, *words: str, **env: str) -> subprocess.Popen[str]:
    command = [*MLOPS, "load", url, "--model-dir", str(model), "--out", str(out), *words]
    return subprocess.Popen(
        command, env=ENV | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def ended(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=PATIENCE)
    return output


def requests_of(out: Path) -> list[dict[str, str]]:
    with (out / "requests.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_asks_what_it_was_told_to(demo_model: Path, tmp_path: Path):
    """The server counts the same requests; the page has plots and the verdict, and asks nobody for anything."""
    with serving(demo_model, tmp_path, **THREADS) as server:
        generous = ("--p95-ms", "1e6", "--p99-ms", "1e6")
        process = load(server.url, demo_model, tmp_path, "--stages", "1s@40,1s@80", *generous)
        output = ended(process)
        assert process.returncode == 0, output
        until(lambda: scraped(server)["scoring_duration_seconds_count", "request"] == 121, "all are counted")
        counted = scraped(server)
    requests = requests_of(tmp_path)
    assert [sum(row["stage"] == stage for row in requests) for stage in "01"] == [40, 80]
    fine = sum(row["kind"] != "bad" for row in requests)
    assert counted["scoring_requests_total", "ok"] == fine + 1  # one went ahead
    assert {row["status"] for row in requests if row["kind"] == "bad"} <= {"400", "422"}
    figures = orjson.loads((tmp_path / "figures.json").read_bytes())
    assert (figures["outcome"], figures["total"]["error_rate"]) == ("within the SLO", 0)
    assert output.endswith(f"within the SLO; {tmp_path / 'report.html'}\n")
    with browsing(f"file://{tmp_path}") as (page, complaints):
        page.goto(f"file://{tmp_path}/report.html")
        assert page.locator("h1 span").inner_text() == "within the SLO"
        assert page.locator("svg").bounding_box()["height"] > 300
        assert page.locator("#answers tbody tr, #answers tr").count() >= 4
        assert not complaints, complaints


def test_a_server_that_stalls_is_charged_for_what_would_have_come(demo_model: Path, tmp_path: Path):
    """With two connections, a stall holds up two requests; but a hundred a second are due all the while."""
    with serving(demo_model, tmp_path, **THREADS) as server:
        words = ("--stages", "3s@100", "--connections", "2", "--mix", "good=1", "--p95-ms", "9")
        process = load(server.url, demo_model, tmp_path, *words)
        until(lambda: scraped(server)["scoring_requests_total", "ok"] > 50, "it is under way")
        begun = time.monotonic()
        for each in [server.process.pid, *server.workers()]:
            psutil.Process(each).suspend()
        time.sleep(1)
        for each in [server.process.pid, *server.workers()]:
            psutil.Process(each).resume()
        stalled_ms = 1000 * (time.monotonic() - begun)
        output = ended(process)
    assert process.returncode == 1, output
    assert "P95" in output
    latencies = [float(row["latency_ms"]) for row in requests_of(tmp_path)]
    assert len(latencies) == 300
    assert max(latencies) > 0.9 * stalled_ms
    assert sum(latency > stalled_ms / 2 for latency in latencies) > 0.9 * (stalled_ms / 2) / 10


def test_errors_break_the_slo(demo_model: Path, tmp_path: Path):
    """Exit status 1, and which objective at which stage; the other requests went on."""
    with serving(demo_model, tmp_path, **THREADS, SCORING_MAX_BYTES="300") as server:
        process = load(server.url, demo_model, tmp_path, "--stages", "1s@50", "--mix", "good=1,large=1")
        output = ended(process)
    assert process.returncode == 1
    assert "errors" in output
    assert "at 1s@50" in output
    rows = requests_of(tmp_path)
    assert {(row["kind"], row["status"], row["fine"]) for row in rows} == {("good", "200", "1"), ("large", "413", "0")}


def test_a_managed_endpoint_is_asked_with_its_key(demo_model: Path, tmp_path: Path):
    """Over TLS that is checked; behind its 424 is the model's own status; the key is nowhere to be read."""
    with serving(demo_model, tmp_path, **THREADS) as server, managed(server, tmp_path) as front:
        words = ("--stages", "1s@40", "--mix", "good=1,bad=1", "--key-env", "KEY", "--p95-ms", "1e6", "--p99-ms", "1e6")
        process = load(front.url, demo_model, tmp_path / "out", *words, **managed_env(tmp_path))
        output = ended(process)
    assert process.returncode == 0, output
    statuses = {(row["kind"], row["status"]) for row in requests_of(tmp_path / "out")}
    assert statuses == {("good", "200"), ("bad", "400"), ("bad", "422")}
    assert not any(KEY in file.read_text() for file in (tmp_path / "out").iterdir())


def test_a_server_that_is_gone_counts_as_no_answer(demo_model: Path, tmp_path: Path):
    """The run goes on to its end, and says so."""
    with serving(demo_model, tmp_path, **THREADS) as server:
        process = load(server.url, demo_model, tmp_path, "--stages", "2s@50")
        until(lambda: scraped(server)["scoring_duration_seconds_count", "request"] > 20, "it is under way")
        server.stop()
        output = ended(process)
    assert process.returncode == 1
    assert "availability" in output
    assert len(requests_of(tmp_path)) == 100
    assert requests_of(tmp_path)[-1]["status"] == "0"


def test_ctrl_c_leaves_a_report_of_what_was(demo_model: Path, tmp_path: Path):
    """And nothing running."""
    with serving(demo_model, tmp_path, **THREADS) as server:
        process = load(server.url, demo_model, tmp_path, "--stages", "1m@50")
        until(lambda: scraped(server)["scoring_duration_seconds_count", "request"] > 50, "it is under way")
        (generator,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        output = ended(process)
    assert process.returncode == 1
    assert f"stopped early; {tmp_path / 'report.html'}\n" in output
    assert not generator.is_running()


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "can't be reached"), (("--key-env", "NO_SUCH"), "empty or not set")],
)
def test_no_load_where_one_request_fails(demo_model: Path, tmp_path: Path, words: tuple[str, ...], said: str):
    """One goes ahead; its failure is one sentence."""
    process = load(f"http://localhost:{support.free_port()}", demo_model, tmp_path, *words)
    output = ended(process)
    assert process.returncode
    assert said in output
    assert "Traceback" not in output
