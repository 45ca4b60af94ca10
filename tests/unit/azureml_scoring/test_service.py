import gc
import re
import weakref
from typing import Any

import orjson
import pytest

from azureml_scoring.body_budget import LARGE_BODY_BYTES, BodyBudget
from azureml_scoring.errors import NotReady, Overloaded
from azureml_scoring.request import Outcome, Request
from function_service import ask, service


def test_an_answer_has_the_documented_shape():
    """Predictions first, then metadata with exactly these fields."""
    now = [1.0]

    def predict(batch: Any) -> Any:
        now[0] += 0.01234
        return batch.X[:, 0].tolist()

    status, body = ask(service(predict, clock=lambda: now[0]))
    assert status == 200
    assert list(body) == ["predictions", "metadata"]
    assert body == {
        "predictions": [1.5, 2.5],
        "metadata": {
            "model_name": "m",
            "model_version": "v1.2.3",
            "deployment": "production",
            "request_id": "id-1",
            "inference_time_ms": 12.34,
            "timestamp": "2025-11-09T10:00:00.000Z",
            "num_predictions": 2,
            "cache": "off",
        },
    }


def test_an_error_has_the_documented_shape():
    """Message, code, status, place, trace, metadata."""
    status, body = ask(service(), {"data": [["x"]]})
    assert status == 422
    assert body == {
        "error": "Feature a must be a number.",
        "code": "wrong_type",
        "status": 422,
        "location": "/data/0/0",
        "trace": "t" * 32,
        "metadata": {
            "request_id": "id-1",
            "timestamp": "2025-11-09T10:00:00.000Z",
            "model_version": "v1.2.3",
        },
    }


def test_a_bug_of_ours_is_a_plain_500():
    """No traceback, no message of the exception."""
    status, body = ask(service(lambda batch: 1 // 0))
    assert (status, body["code"]) == (500, "internal_error")
    assert "division" not in orjson.dumps(body).decode()


def test_the_traceback_is_shown_where_development_asks_for_it():
    """It stands in ``trace``, and nowhere else."""
    _, body = ask(service(lambda batch: 1 // 0, expose_traceback=True))
    assert "ZeroDivisionError" in body["trace"]


def test_before_the_model_is_there_the_answer_is_503_with_retry_after():
    """A request that may be right never gets a 4xx."""

    class Loading:
        version = None

        def model(self) -> Any:
            raise NotReady("The model is still loading.")

    answer = service(source=Loading()).score(Request("id", "t", lambda: b""))
    assert (answer.status, answer.headers) == (
        503,
        {"Retry-After": "5", "retry-after-ms": "5000"},
    )
    assert orjson.loads(answer.body)["metadata"]["model_version"] is None


def test_a_refused_body_is_let_go_as_soon_as_its_request_ends():
    """It does not stay until a garbage collection finds the error and its traceback."""

    def read() -> bytes:
        return b'{"data": "a large body"}'

    let_go, asked = weakref.ref(read), service(hooks=[lambda outcome: None])
    gc.disable()
    try:
        assert asked.score(Request("id-1", "t" * 32, read)).status == 422
        del read
        assert let_go() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(("first", "status"), [(b"1.5", 200), (b'"x"', 422)])
def test_a_large_body_counts_until_its_request_is_answered(first: bytes, status: int):
    """While the model computes, others may be parsed; in the end all is given back."""
    budget = BodyBudget(LARGE_BODY_BYTES * 2)
    held, other = budget.hold(0.0), budget.hold(0.0)

    def read() -> bytes:
        held.take(LARGE_BODY_BYTES * 2)
        held.turn()
        return b'{"data": [[%s]]}' % first + b" " * LARGE_BODY_BYTES

    def predict(batch: Any) -> Any:
        other.turn()
        other.end_turn()
        with pytest.raises(Overloaded):
            other.take(1)
        return [0]

    assert service(predict).score(Request("id-1", "t" * 32, read, held=held)).status == status
    other.turn()
    other.take(LARGE_BODY_BYTES * 2)


@pytest.mark.parametrize("status", [503, 429])
def test_a_refusal_has_the_status_of_the_setting(status: int):
    """In the answer, in its body and for the hooks; Retry-After says when to come back."""
    seen: list[Outcome] = []
    refused = service(overload_status=status, hooks=[seen.append]).score(
        Request("id-1", "t" * 32, pytest.fail), due=0.0
    )
    assert (refused.status, orjson.loads(refused.body)["status"]) == (status, status)
    assert (seen[0].status, seen[0].error.code) == (status, "overloaded")
    assert refused.headers["Retry-After"] == "1"


def test_what_nobody_waits_for_is_not_computed():
    """A client that has hung up counts as a client's error."""
    seen: list[Outcome] = []
    request = Request("id-1", "t" * 32, lambda: b"[[1]]", gone=lambda: True)
    service(lambda batch: pytest.fail("computed"), hooks=[seen.append]).score(request)
    assert (seen[0].status, seen[0].error.code) == (499, "client_gone")


def test_hooks_are_told_what_became_of_each_request():
    """Each is called once a request, with what logs and counters need."""
    seen: list[Outcome] = []
    watched = service(hooks=[seen.append])
    ask(watched)
    ask(watched, {"data": [[None]]})
    good, bad = seen
    assert (good.status, good.rows, good.error, good.model_name) == (200, 2, None, "m")
    assert (bad.status, bad.error and bad.error.code) == (422, "missing_value")
    assert all(
        outcome.duration_ms > 0 and re.fullmatch("id-1", outcome.request_id) for outcome in seen
    )
