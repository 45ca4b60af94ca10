"""When a request computes on its own thread, in a slot or together with others."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.media_types import ARROW, ARROW_FILE, PARQUET
from azureml_scoring.models.estimator_on_demand import EstimatorOnDemand
from azureml_scoring.models.joint_predict import Inline, JointPredict
from azureml_scoring.models.model import Predict
from azureml_scoring.request import MustWait, Outcome, Request
from azureml_scoring.shared.measures import PREDICT, QUEUE
from azureml_scoring.shared.scoreboard import WorkerRow
from function_service import Source, ask, service


def test_a_quick_model_is_computed_on_the_requests_own_thread():
    """Handing it to another thread would take several times as long."""
    for quick in (True, False):
        source = Source(lambda batch: [threading.get_ident()])
        predict = source.loaded.predict
        source.loaded.quick = (lambda batch, predict=predict: predict) if quick else None
        asked = service(source=source)
        status, body = ask(asked, {"data": [[1]]}.items())
        assert status == 200
        assert (body["predictions"] == [threading.get_ident()]) is quick
        assert asked.quick is quick


def test_what_a_quick_model_does_not_compute_quickly_has_a_slot_and_a_deadline():
    """If nothing may wait, nothing is reported."""
    source = Source(lambda batch: [threading.get_ident()])
    source.loaded.quick = lambda batch: None
    seen: list[Outcome] = []
    asked = service(source=source, hooks=[seen.append])
    _, body = ask(asked, {"data": [[1]]}.items())
    assert body["predictions"] != [threading.get_ident()]
    with pytest.raises(MustWait):
        asked.score_admitted(Request("id-1", "t" * 32, lambda: b"[[1]]"), 1e9, may_wait=False)
    assert len(seen) == 1


@pytest.mark.parametrize("media_type", [PARQUET, ARROW, ARROW_FILE])
def test_what_may_unpack_to_much_is_not_read_on_the_event_loop(media_type: str):
    """Nor is pyarrow imported there; probes would wait."""
    source = Source(lambda batch: [1])
    source.loaded.quick = lambda batch: source.loaded.predict
    request = Request("id-1", "t" * 32, lambda: b"damaged", media_type=media_type)
    with pytest.raises(MustWait):
        service(source=source).score_admitted(request, 1e9, may_wait=False)
    assert service(source=source).score_admitted(request, 1e9).status == 400


def test_single_rows_of_requests_that_are_answered_together_are_computed_together():
    """A request of two rows is computed alone; each gets its own answers."""
    source, calls = Source(lambda batch: batch.X[:, 0].tolist()), list[int]()

    def each(rows: Sequence[tuple[Inline, Batch]]) -> list[list[Any]]:
        calls.append(len(rows))
        return [inline(batch) for inline, batch in rows]

    source.loaded.quick, source.loaded.each = (lambda batch: source.loaded.predict), each
    asked, joint = service(source=source), JointPredict()
    bodies = [b"[[1]]", b"[[2], [3]]", b"[[4]]"]
    scorings = [
        asked.begin(Request("id", "t" * 32, lambda body=body: body), 1e9) for body in bodies
    ]
    for scoring in scorings:
        scoring.read(joint=joint)
    assert not calls
    for scoring in scorings:
        scoring.predict()
    answers = [orjson.loads(scoring.answer().body)["predictions"] for scoring in scorings]
    assert answers == [[1.0], [2.0, 3.0], [4.0]]
    assert calls == [2]


def test_nothing_is_quick_with_a_cache_far_away():
    """A look-up waits for another machine."""
    source = Source(lambda batch: [1])
    source.loaded.quick = lambda batch: source.loaded.predict
    assert service(source=source).quick
    assert not service(source=source, cache=SimpleNamespace(far_away=True)).quick


def test_a_request_that_was_admitted_before_its_body_was_read_is_not_admitted_again():
    """It would hold two places."""
    asked = service()
    with asked.admission.admit(), asked.admission.admit() as due:
        request = Request("id-1", "t" * 32, lambda: b'{"data": [[1]]}')
        assert asked.score(request).status == 503
        assert asked.score_admitted(request, due).status == 200


def test_joined_requests_say_how_long_they_waited_and_were_computed():
    """Metrics and traces of each are as of one that is computed alone."""
    source = Source(lambda batch: batch.X[:, 0].tolist())
    source.loaded.joint_rows = 8
    seen: list[Outcome] = []
    asked = service(source=source, hooks=[seen.append])
    status, body = ask(asked, {"data": [[1.5], [2.5]]}.items())
    assert (status, body["predictions"]) == (200, [1.5, 2.5])
    assert seen[0].seconds[QUEUE] > 0
    assert seen[0].seconds[PREDICT] > 0


def test_a_request_that_needs_the_estimator_waits_for_it_and_takes_no_slot():
    """Loading takes seconds, which say nothing of how long the next requests will take."""
    row = WorkerRow()
    running: list[float] = []

    def loading() -> Predict:
        running.append(row.oldest_start)
        return lambda batch: ["the estimator's"]

    estimator = EstimatorOnDemand(loading)
    estimator.waits = False
    seen: list[Outcome] = []
    asked = service(estimator, row=row, hooks=[seen.append])
    for _ in range(2):
        status, body = ask(asked, {"data": [[1]]}.items())
        assert (status, body["predictions"]) == (200, ["the estimator's"])
    assert running == [0.0]
    assert seen[0].seconds[QUEUE] > seen[0].seconds[PREDICT]


def test_on_the_event_loop_no_request_waits_for_the_estimator():
    """It is refused, and the estimator is there for the next one."""
    estimator = EstimatorOnDemand(lambda: lambda batch: ["the estimator's"])
    estimator.waits = False
    source = Source(estimator)
    source.loaded.quick = lambda batch: estimator
    asked = service(source=source)
    scoring = asked.begin(Request("id-1", "t" * 32, lambda: b"[[1]]"), 1e9)
    scoring.read(may_wait=False)
    scoring.predict()
    answer = scoring.answer()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    estimator.loaded()
    assert ask(asked, {"data": [[1]]}.items())[1]["predictions"] == ["the estimator's"]
