"""``mlops score`` against azmlinfsrv, and against azmlinfsrv behind a managed endpoint's front."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import support
from arm.https import DROP, HttpsServer, Reply
from arm.scoring import as_azure_answers
from blackbox.managed import KEY, managed, managed_env
from blackbox.server import PATIENCE, Server
from mlops.exit_status import ExitStatus
from template import run

pytestmark = pytest.mark.any_worker

MLOPS = Path(sys.executable).with_name("mlops")


@pytest.fixture(scope="module")
def server(bare_demo: Server) -> Server:
    return bare_demo


@pytest.fixture(name="managed")
def managed_(server: Server, tmp_path: Path) -> Iterator[HttpsServer]:
    with managed(server, tmp_path) as front:
        yield front


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return all patients of the demo's data."""
    X, _ = support.diabetes()
    X.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


def score(
    *words: object, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    done = run(MLOPS, "score", *words, env=os.environ | (env or {}), stdin=stdin)
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_each_row_of_a_table_gives_a_line(server: Server, rows: Path):
    """Lines come in the file's order, with nothing else on either stream."""
    done = score("--url", server.url, rows)
    assert (done.returncode, done.stderr) == (0, "")
    X, _ = support.diabetes()
    assert [
        json.loads(line) for line in done.stdout.splitlines()
    ] == support.demo_estimator().predict(X).tolist()


@pytest.mark.parametrize("as_file", [True, False])
def test_json_is_sent_as_it_is(server: Server, tmp_path: Path, as_file: bool):
    """JSON comes from a file or standard input, with any method that it names."""
    body = json.dumps({"data": [support.ROW], "method": "predict_proba"})
    (tmp_path / "request.json").write_text(body)
    done = score(
        "--url", f"{server.url}/score", tmp_path / "request.json" if as_file else "-", stdin=body
    )
    (line,) = done.stdout.splitlines()
    assert sum(json.loads(line)) == pytest.approx(1)


def test_a_managed_endpoint_is_asked_with_the_key(managed: HttpsServer, rows: Path, tmp_path: Path):
    """The key comes from a variable, under either name; batches go to the deployment that is
    named."""
    for option in ("--key-env", "--token-env"):
        done = score(
            "--url",
            managed.url,
            option,
            "KEY",
            "--deployment",
            "green",
            rows,
            env=managed_env(tmp_path),
        )
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 442)
    assert len(managed.requests) == 10
    assert {sent.headers["azureml-model-deployment"] for sent in managed.requests} == {"green"}


def test_the_models_error_comes_through_the_424(managed: HttpsServer, rows: Path, tmp_path: Path):
    """An error has the model's status, place and row number; earlier predictions are printed."""
    lines = rows.read_text().splitlines()
    lines[250] = lines[250].replace(lines[250].split(",")[0], "", 1)
    rows.write_text("\n".join(lines))
    done = score("--url", managed.url, "--key-env", "KEY", rows, env=managed_env(tmp_path))
    assert (done.returncode, len(done.stdout.splitlines())) == (ExitStatus.UNUSABLE, 200)
    message = done.stderr
    assert "(422 missing_value in row 250, line 251 of the file)" in message
    assert message.count("\n") == 1


def tables(folder: Path, odd: str | None) -> Iterator[tuple[Path, str]]:
    """Return 150 rows in each table format, with ``odd`` in row 104, and the words for that row."""
    X, _ = support.diabetes()
    rows = X.head(150).astype(object)
    rows.iloc[103, 0] = odd
    rows.to_csv(folder / "rows.csv", index=False)
    yield folder / "rows.csv", "row 104, line 105 of the file"
    (folder / "bare.csv").write_text("\n".join((folder / "rows.csv").read_text().splitlines()[1:]))
    if odd is None:
        yield folder / "bare.csv", "row 104, line 104 of the file"
        rows.astype(float).to_parquet(folder / "rows.parquet")
        yield folder / "rows.parquet", "row 104 of the file"
        np.save(folder / "rows.npy", rows.astype(float).to_numpy())
        yield folder / "rows.npy", "row 104 of the file"
    lines = [json.dumps(row) for row in rows.to_dict("records")]
    (folder / "rows.jsonl").write_text("\n\n".join(lines))
    yield folder / "rows.jsonl", "row 104, line 207 of the file"


@pytest.mark.parametrize("odd", [None, "old"])
def test_the_odd_row_of_a_table_is_named(server: Server, tmp_path: Path, odd: str | None):
    """The error names the row's place in the file in any format, even if one odd cell turns a CSV
    column into texts; earlier rows have their predictions."""
    X, _ = support.diabetes()
    expected = support.demo_estimator().predict(X.head(100)).tolist()
    wrong = "must not be null" if odd is None else "must be a number"
    for file, place in tables(tmp_path, odd):
        done = score("--url", server.url, file)
        assert [json.loads(line) for line in done.stdout.splitlines()] == expected, (
            file.name,
            done.stderr,
        )
        message = done.stderr
        assert message.startswith(f"Error: Feature age {wrong}"), message
        assert f"in {place})" in message
        assert "The predictions of rows 1 to 100 are printed." in message
        assert (done.returncode, message.count("\n")) == (ExitStatus.UNUSABLE, 1)


def test_words_for_nothing_are_missing_where_the_server_takes_numbers(
    server: Server, tmp_path: Path
):
    """In a column of numbers such a word is a missing value, not a value of another type."""
    (file, place), *_ = tables(tmp_path, "NA")
    done = score("--url", server.url, file)
    assert (
        f"Feature age must not be null: the model takes no missing values there. (422 "
        f"missing_value in {place})" in (done.stderr)
    )


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(413, {"error": "Too large.", "code": "payload_too_large"}), ExitStatus.UNUSABLE),
        (Reply(503, None, {"Retry-After": "99"}), ExitStatus.SERVER),
        (DROP, ExitStatus.SERVER),
    ],
)
def test_finished_work_is_kept_when_the_server_fails(
    managed: HttpsServer, rows: Path, tmp_path: Path, reply: Reply, status: ExitStatus
):
    """Predictions are kept whatever the server answers in the middle, or if it answers nothing."""
    managed.fail(2, reply, "POST", "/score", after=2)  # a lost answer is asked for twice
    done = score("--url", managed.url, "--key-env", "KEY", rows, env=managed_env(tmp_path))
    assert (done.returncode, len(done.stdout.splitlines())) == (status, 200)
    assert "The predictions of rows 1 to 200 are printed." in done.stderr
    assert done.stderr.count("\n") == 1


def test_who_waits_sees_how_far_it_is(server: Server, rows: Path):
    """Progress is shown on the terminal if the predictions go elsewhere."""
    terminal, side = os.openpty()
    command = [str(MLOPS), "score", "--url", server.url, str(rows)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=side, timeout=PATIENCE
    )
    os.close(side)
    shown = os.read(terminal, 65_536)
    os.close(terminal)
    assert b"Scoring" in shown
    assert len(done.stdout.splitlines()) == 442


def test_who_has_seen_enough_may_leave(server: Server, rows: Path):
    """The reader may close the pipe, as `head` does."""
    command = f"'{MLOPS}' score --url {server.url} '{rows}' | head -1"
    done = subprocess.run(command, shell=True, check=True, capture_output=True, timeout=PATIENCE)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, b"")


def test_a_busy_endpoint_is_asked_again(managed: HttpsServer, rows: Path, tmp_path: Path):
    """The command retries after the time that the endpoint names, without a message."""
    managed.fail(2, Reply(429, None, {"Retry-After": "0"}), "POST", "/score")
    managed.fail(2, as_azure_answers(Reply(503, None, {"Retry-After": "0"})), "POST", "/score")
    done = score("--url", managed.url, "--key-env", "KEY", rows, env=managed_env(tmp_path))
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 442)


def test_a_wrong_key_is_told(managed: HttpsServer, rows: Path, tmp_path: Path):
    """The error does not print the key."""
    done = score(
        "--url",
        managed.url,
        "--key-env",
        "KEY",
        rows,
        env=managed_env(tmp_path) | {"KEY": "other-key"},
    )
    assert done.returncode == ExitStatus.NOT_SIGNED_IN
    assert "check the key or the token" in done.stderr
    assert "other-key" not in done.stderr


@pytest.mark.parametrize(
    ("words", "key", "said"),
    [
        (("--url", "localhost:5001"), None, "https://host/score"),
        (("--url", "https://user:pass@localhost"), None, "--key-env"),
        (("--url", "http://example.org", "--key-env", "KEY"), KEY, "without TLS"),
        (("--url", "https://localhost", "--key-env", "KEY"), None, "empty or not set"),
        (("--url", "https://localhost", "--key-env", "KEY"), "two\nlines", "copy the key again"),
        (("--url", "https://localhost", "--key", KEY), None, "No such option"),
        ((), None, "--url"),
    ],
)
def test_wrong_use_is_told(rows: Path, words: tuple[str, ...], key: str | None, said: str):
    """Status is 2 before anything is sent; the command line takes no key."""
    done = run(MLOPS, "score", *words, rows, env=os.environ | ({"KEY": key} if key else {}))
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "two" not in done.stderr


def test_files_that_can_not_be_sent_are_told(tmp_path: Path):
    """A missing file and one that is not a table are errors."""
    assert score("--url", "http://localhost", tmp_path / "none.csv").returncode == 2
    (tmp_path / "rows.txt").write_text("x")
    done = score("--url", "http://localhost", tmp_path / "rows.txt")
    assert done.returncode == ExitStatus.UNUSABLE
    assert ".jsonl" in done.stderr
