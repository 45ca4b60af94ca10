"""The steps of a request are timed, and its predictions become JSON."""

from typing import Any

import numpy as np
import orjson
import pytest

from azureml_scoring.inputs.media_types import CSV, NPY
from azureml_scoring.request import CacheState, MustWait, Outcome, Request
from azureml_scoring.shared.measures import STAGES
from cache import Predictions
from function_service import Source, ask, service


def test_the_stages_of_a_request_are_timed():
    """They add up to the whole; a stage that it does not have takes 0 seconds."""
    seen: list[Outcome] = []
    now = [0.0]

    def predict(batch: Any) -> Any:
        now[0] += 0.5
        return batch.X[:, 0].tolist()

    ask(service(predict, clock=lambda: now[0], hooks=[seen.append]))
    (outcome,) = seen
    assert dict(zip(STAGES, outcome.seconds, strict=True)) == {
        "request": 0.5,
        "read": 0.0,
        "validate": 0.0,
        "queue": 0.0,
        "predict": 0.5,
        "cache": 0.0,
        "serialise": 0.0,
    }


def test_non_finite_predictions_are_counted_over_all_that_a_request_computes():
    """A cache by row may compute twice."""
    seen: list[Outcome] = []

    class Twice:
        def predictions(
            self, model: Any, batch: Any, directive: Any, compute: Any, due: float
        ) -> Any:
            first, second = compute(batch), compute(batch)
            assert [first.shareable, second.shareable] == [False, False]
            return Predictions(b"[null]", CacheState.MISS)

    options = {"null_for_non_finite": True, "hooks": [seen.append], "cache": Twice()}
    ask(service(lambda batch: [float("nan")], **options), {"data": [[1.0]]})
    assert seen[0].non_finite == 2


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ([np.float64(0.5), np.int64(3)], [0.5, 3]),
        ([[np.bool_(True)], ["text"]], [[True], ["text"]]),
        ([2**53 + 1, None], [2**53 + 1, None]),
    ],
)
def test_numpy_types_become_json(answers: list[object], shown: list[object]):
    """They may be inside lists, as in object arrays."""
    assert ask(service(lambda batch: answers))[1]["predictions"] == shown


@pytest.mark.parametrize("answers", [[float("nan")], [[1.0, float("inf")]]])
def test_a_non_finite_prediction_fails_or_is_null_by_policy(answers: list[object]):
    """The answer is never invalid JSON."""
    status, body = ask(service(lambda batch: answers))
    assert (status, body["code"]) == (500, "non_finite_prediction")
    seen: list[Outcome] = []
    status, body = ask(
        service(lambda batch: answers, null_for_non_finite=True, hooks=[seen.append])
    )
    assert seen[0].non_finite == 1
    assert status == 200
    assert body["predictions"] in ([None], [[1.0, None]])


@pytest.mark.parametrize("proof", ["golden rows", "a request"])
def test_a_client_can_not_make_a_good_model_fail(proof: str):
    """If the model has answered with numbers before, NaN is the row's fault: 422."""

    def predict(batch: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(batch.X[:, 0]).tolist()

    source = Source(predict)
    source._model.proven = proof == "golden rows"
    seen: list[Outcome] = []
    asked = service(source=source, hooks=[seen.append])
    if proof == "a request":
        assert ask(asked, {"data": [[1.0]]})[0] == 200
    status, body = ask(asked, {"data": [[1.0], [0.0]]})
    assert (status, body["code"]) == (422, "model_refused_input")
    assert "SCORING_NON_FINITE_OUTPUT=null" in body["error"]
    assert seen[-1].non_finite == 1


@pytest.mark.parametrize("answers", [[object()], [{1, 2}], [1j]])
def test_what_json_has_not_is_the_models_failure(answers: list[object]):
    """The error is named, with the request id to look it up."""
    assert ask(service(lambda batch: answers))[1]["code"] == "model_failed"


def wanting(answer_type: str) -> Request:
    return Request("id-1", "t" * 32, lambda: b"[[1.5], [2.5]]", answer_type=answer_type)


def test_predictions_may_be_answered_as_a_table():
    """The table holds predictions alone; the model and the state of the cache stand in headers."""
    answer = service().score(wanting(CSV))
    assert (answer.status, answer.content_type) == (200, "text/csv; charset=utf-8")
    assert answer.body == b"prediction\r\n1.5\r\n2.5\r\n"
    assert answer.headers == {
        "x-model-name": "m", "x-model-version": "v1.2.3", "x-scoring-cache": "off",
    }  # fmt: skip


def test_the_headers_of_a_table_hold_any_name():
    """What a header can't hold is percent-encoded."""
    source = Source(lambda batch: batch.X[:, 0].tolist())
    source.loaded.name = "modèle\n1"
    answer = service(source=source).score(wanting(CSV))
    assert answer.headers["x-model-name"] == "mod%C3%A8le%0A1"


def test_predictions_that_a_form_can_not_hold_are_refused_in_json():
    """The hooks learn of it as of any other error."""
    seen: list[Outcome] = []
    answer = service(lambda batch: ["a", "b"], hooks=[seen.append]).score(wanting(NPY))
    document = orjson.loads(answer.body)
    assert (answer.status, answer.content_type) == (406, "application/json")
    assert (document["code"], document["status"]) == ("not_acceptable", 406)
    assert (seen[0].status, seen[0].error.code) == (406, "not_acceptable")


def test_errors_are_json_whatever_the_form_of_the_answer():
    """A client reads them as ever."""
    request = wanting(CSV)._replace(read=lambda: b'[["x"]]')
    answer = service().score(request)
    assert (answer.status, answer.content_type) == (422, "application/json")
    assert orjson.loads(answer.body)["code"] == "wrong_type"


def test_a_table_is_not_written_on_the_event_loop():
    """Others would wait for it."""
    with pytest.raises(MustWait):
        service().score_admitted(wanting(CSV), 1e9, may_wait=False)
