"""Two deployments are asked the same rows: what was refused, what was not answered and what differs
are told apart."""

from collections.abc import Callable

import orjson
import pytest

from mlops.endpoint import EndpointAnswer, EndpointError
from mlops.rollout.judge import Agreement
from mlops.rollout.questions import Questions
from mlops.rollout.same_rows import agreement, answered
from simulated_endpoint import NEW, OLD, Simulated

Status = Callable[[list[float]], int]


def well(_: list[float]) -> int:
    return 200


def refusing(*bad: float, status: int = 422) -> Status:
    """A request that holds one of those is refused, as a service does."""
    return lambda values: status if set(values) & set(bad) else 200


class Deployments(Simulated):
    """Each answers a request by the status that its function gives, and a row by its value."""

    def __init__(self, old: Status = well, new: Status = well) -> None:
        super().__init__()
        self.by = {OLD: old, NEW: new}
        self.asked: list[str | None] = []

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        self.asked.append(deployment)
        values = [row[0] for row in orjson.loads(body)["data"]]
        return EndpointAnswer(
            self.by[str(deployment)](values), orjson.dumps({"predictions": values}), 1.0
        )


def rows(count: int) -> Questions:
    return Questions(rows=[[float(number)] for number in range(count)])


def test_a_row_that_is_refused_does_not_spoil_the_others():
    """Whoever refuses it: of the old one it can't be compared, of the new one it is an answer that
    differs."""
    both = Deployments(old=refusing(7.0, 150.0), new=refusing(7.0, 9.0))
    assert agreement(rows(250), both, NEW, OLD) == Agreement(247, 248, old_silent=2)


def test_a_deployment_that_takes_fewer_rows_at_once_is_asked_fewer():
    """413 is a refusal of the request, and of no row in it."""
    small = Deployments(old=lambda values: 200 if len(values) <= 10 else 413)
    assert agreement(rows(101), small, NEW, OLD) == Agreement(101, 101)


@pytest.mark.parametrize("status", [0, 408, 429, 500, 503, 504])
def test_a_deployment_that_can_not_answer_now_is_not_asked_more(status: int):
    """One request a hundred rows, and none of them counts."""
    both = Deployments(new=lambda _: status)
    assert agreement(rows(250), both, NEW, OLD) == Agreement(0, 0, new_silent=250)
    assert len(both.asked) == 6


def test_only_rows_that_the_old_one_answers_are_compared():
    """Rows on which it crashes are left out and counted; the order is kept."""
    both = Deployments(old=refusing(7.0, status=500))
    kept = answered(rows(100), both, OLD, 0.95)
    assert [row[0] for row in kept.rows] == [float(n) for n in range(100) if n != 7]
    assert agreement(kept, both, NEW, OLD) == Agreement(99, 99, left_out=1)
    assert NEW not in both.asked[:-1]


@pytest.mark.parametrize(
    ("old", "share", "sentence"),
    [
        (
            refusing(*map(float, range(6))),
            0.95,
            "6 of the first 6 rows .* \\(status 422\\); give rows .* --sample",
        ),
        (lambda values: 503, 0.95, r"6 of the first 6 rows .* \(status 503\)"),
        (lambda values: 422, 0.0, r"100 of the first 100 rows"),
    ],
)
def test_an_old_one_that_answers_too_few_is_told(old: Status, share: float, sentence: str):
    """It is not asked the remaining rows: so few would prove nothing."""
    with pytest.raises(EndpointError, match=sentence):
        answered(rows(100), Deployments(old=old), OLD, share)


def test_as_many_as_the_share_says_are_enough():
    """Nine of ten are nine tenths, whatever floating point makes of one minus that."""
    assert answered(rows(10), Deployments(old=refusing(3.0)), OLD, 0.9).left_out == 1


def test_a_sample_for_another_model_is_found_out_early():
    """This takes a few requests, not one for each row."""
    both = Deployments(old=lambda values: 422)
    with pytest.raises(EndpointError):
        answered(rows(1000), both, OLD, 0.95)
    assert len(both.asked) < 150


class Saying(Simulated):
    """Each deployment gives the same predictions, whatever it is asked."""

    def __init__(self, old: list[object], new: list[object]) -> None:
        super().__init__()
        self.said = {OLD: old, NEW: new}

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        return EndpointAnswer(200, orjson.dumps({"predictions": self.said[str(deployment)]}), 1.0)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (["a", "b", "c"], ["a", "b", "x"], 2),
        ([1.0, 2.0, 3.0], [1.01, 2.0, 4.0], 2),
        ([[1.0, 0.0], [2.0, 5.0], [3.0, 9.0]], [[1.01, 0.1], [2.0, 5.0], [3.0, 1.0]], 2),
        ([[1.0, "a"], [2.0, "b"], [3.0, "c"]], [[1.01, "a"], [2.0, "x"], [3.0]], 1),
        ([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0], 0),
        ([[[1.0]], [[2.0]], [[3.0]]], [[[1.01]], [[2.0]], [[9.0]]], 2),
        ([[], [], []], [[], [], [1]], 2),
    ],
)
def test_several_numbers_of_a_row_may_differ_as_little_as_one(
    old: list[object], new: list[object], same: int
):
    """A model with several outputs, trained anew, gives no number exactly as before."""
    assert agreement(rows(3), Saying(old, new), NEW, OLD) == Agreement(same, 3)


def test_no_predictions_are_never_alike():
    """Two null are none to compare; of the old one they refuse the rollout, of the new one alone
    they differ."""
    none: list[object] = [None] * 3
    assert agreement(rows(3), Saying(none, none), NEW, OLD) == Agreement(0, 0, old_silent=3)
    assert agreement(rows(3), Saying([1.0, 2.0, 3.0], [1.0, 2.0, None]), NEW, OLD) == Agreement(
        2, 3
    )
    with pytest.raises(EndpointError, match="status 200 without predictions"):
        answered(rows(3), Saying(none, none), OLD, 0.95)
