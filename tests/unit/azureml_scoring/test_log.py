import io
import json
import logging
import logging.config
import re
from collections.abc import Iterator
from typing import Any

import pytest

from azureml_scoring import log
from azureml_scoring.errors import ModelFailed, Overloaded, OverloadReason, StartupError, WrongType
from azureml_scoring.request import Outcome
from azureml_scoring.shared.measures import PREDICT, READ, REQUEST
from azureml_scoring.signals.request_log import RequestLog
from places import REPOSITORY


@pytest.fixture
def lines() -> Iterator[Any]:
    log.set_up()
    stream = io.StringIO()
    log.logger.handlers[0].stream = stream
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.set_up()


def write(outcome: Outcome, *, expose: bool = False) -> None:
    RequestLog(expose_traceback=expose, deployment="blue")(outcome)


def failure(status: int, error: Exception) -> Outcome:
    return Outcome("r-1", None, "trace", status, 12.345, error=error)


def test_a_request_is_one_json_object_on_one_line(lines: Any):
    """It has the message that plain-text queries extract from, and fields for parse_json."""
    outcome = Outcome(
        "r-1", "c-1", "trace", 200, 12.345, 40, 90, 3, model_name="m", model_version="1"
    )
    outcome.seconds[REQUEST], outcome.seconds[READ], outcome.seconds[PREDICT] = (
        0.0123,
        0.00025,
        0.01,
    )
    outcome.timestamp = "2025-11-09T10:00:00.400Z"
    write(outcome)
    (line,) = lines()
    assert line["message"] == "Request r-1 completed in 12.35ms"
    assert line == {
        "timestamp": "2025-11-09T10:00:00.400Z",
        "level": "info", "message": line["message"],
        "request_id": "r-1", "client_request_id": "c-1", "trace": "trace",
        "status": 200, "duration_ms": 12.345, "rows": 3, "bytes_in": 40, "bytes_out": 90,
        "non_finite": 0, "cache": "off", "stages": {"read": 0.25, "predict": 10.0},
        "model_name": "m", "model_version": "1", "deployment": "blue",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "error", "level"),
    [(422, WrongType("no"), "warning"), (500, ModelFailed("no"), "error")],
)
def test_a_failed_request_says_so(lines: Any, status: int, error: Exception, level: str):
    """The line has its code; a client's mistake is a warning, a failure of ours an error."""
    write(failure(status, error))
    (line,) = lines()
    assert line["message"] == "Request r-1 failed in 12.35ms: no"
    assert (line["level"], line["status"]) == (level, status)


def test_a_refusal_says_why(lines: Any):
    """The line has the reason, by which the queries count."""
    write(failure(503, Overloaded("no", reason=OverloadReason.QUEUE)))
    (line,) = lines()
    assert (line["code"], line["reason"]) == ("overloaded", "queue")


def test_a_share_of_the_good_requests_is_logged_and_every_bad_one(lines: Any):
    """A line says how many requests it stands for."""
    lot = iter([0.05, 0.5, 0.95, 0.5])
    log_of_some = RequestLog(expose_traceback=False, share=0.1, lot=lambda: next(lot))
    for number in range(4):
        log_of_some(Outcome(f"r-{number}", None, "trace"))
    log_of_some(failure(500, ModelFailed("no")))
    assert [(line["request_id"], line.get("weight")) for line in lines()] == [
        ("r-0", 10),
        ("r-1", None),
    ]


def test_the_documented_fields_are_those_of_the_line(lines: Any):
    """docs/observability.md names each field, and no other."""
    RequestLog(expose_traceback=False, share=0.5, lot=lambda: 0.0, deployment="blue")(
        Outcome("r-1", None, "t")
    )
    write(failure(500, caused()))
    write(failure(503, Overloaded("no")))
    text = (REPOSITORY / "docs" / "observability.md").read_text()
    section = text.partition("## The log line")[2].partition("## ")[0]
    documented = re.findall(
        r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))
    )
    assert sorted(documented) == sorted({field for line in lines() for field in line})


def caused() -> ModelFailed:
    try:
        raise ValueError("could not convert 'Alice'")
    except ValueError as cause:
        error = ModelFailed("The model failed.")
        error.__cause__ = cause
    return error


def test_the_log_tells_where_the_model_failed_but_not_on_which_values(lines: Any):
    """Messages of exceptions may hold input values, so only their type and place are logged."""
    write(failure(500, caused()))
    write(failure(500, caused()), expose=True)
    quiet, exposed = lines()
    assert "ValueError at" in quiet["exception"]
    assert "in caused" in exposed["exception"] or "caused" in quiet["exception"]
    assert "Alice" not in json.dumps(quiet)
    assert "Alice" in exposed["exception"]


def test_a_line_stays_one_line(lines: Any):
    """A message may hold anything."""
    log.event('two\nlines and a "quote"')
    assert lines()[0]["message"] == 'two\nlines and a "quote"'


def test_setting_up_twice_logs_once(lines: Any):
    """init() may run again."""
    log.set_up()
    assert len(log.logger.handlers) == 1
    assert not log.logger.propagate


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StartupError("No model; put one there."), "No model; put one there."),
        (
            KeyError("x"),
            "init() failed unexpectedly (KeyError: 'x'); please report it with this line.",
        ),
    ],
)
def test_a_failed_start_is_the_last_word(
    lines: Any, caplog: pytest.LogCaptureFixture, error: Exception, message: str
):
    """The server would bury it under a traceback; an unexpected error's own traceback is in the
    line."""
    server = logging.getLogger("azmlinfsrv")
    before = list(server.filters)
    log.startup_failed(error, {})
    server.error("User's init function failed")
    server.filters = before
    assert not [record for record in caplog.records if record.name == "azmlinfsrv"]
    (line,) = lines()
    assert (line["level"], line["message"]) == ("critical", message)
    assert ("exception" in line) == isinstance(error, KeyError)


def test_lines_come_though_the_server_set_up_its_own_logging(lines: Any):
    """``logging.config.dictConfig`` disables the loggers that exist."""
    logging.config.dictConfig({"version": 1})
    assert log.logger.disabled
    stream = log.logger.handlers[0].stream
    log.set_up()
    log.logger.handlers[0].stream = stream
    log.event("here")
    assert lines()[0]["message"] == "here"


def test_a_closed_standard_output_fails_no_request():
    """The process that read it may be gone."""
    log.set_up()
    stream = io.StringIO()
    stream.close()
    log.logger.handlers[0].stream = stream
    write(Outcome("r-1", None, "trace", 200, 1.0))
    log.set_up()
