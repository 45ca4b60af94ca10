"""Two deployments are asked the same rows: what was refused, what was not answered and what differs
are told apart."""

import random
from collections.abc import Callable

import orjson
import pytest

from mlops.endpoint import EndpointAnswer, EndpointError, NotReached
from mlops.rollout.agreement import Agreement
from mlops.rollout.questions import Questions
from mlops.rollout.same_rows import SameRows
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
        status = self.by[str(deployment)](values)
        if status == 0:
            raise NotReached("diabetes can't be reached; check the network.")
        return EndpointAnswer(status, orjson.dumps({"predictions": values}), 1.0)


def rows(count: int) -> Questions:
    return Questions(rows=[[float(number)] for number in range(count)])


def same_rows(endpoint: Simulated, questions: Questions, share: float = 0.0) -> SameRows:
    made = SameRows(questions, endpoint, NEW, OLD)
    made.ask_old(share)
    return made


def agreement(endpoint: Simulated, questions: Questions) -> Agreement:
    return same_rows(endpoint, questions).look()


def test_a_row_that_is_refused_does_not_spoil_the_others():
    """Whoever refuses it: of the old one it can't be compared, of the new one it is an answer that
    differs."""
    both = Deployments(old=refusing(7.0, 150.0), new=refusing(7.0, 9.0))
    found = agreement(both, rows(250))
    assert (found.same, found.rows, found.left_out) == (247, 248, 2)
    assert "rows 9 of those asked" in found.where


def test_a_deployment_that_takes_fewer_rows_at_once_is_asked_fewer():
    """413 is a refusal of the request, and of no row in it."""
    small = Deployments(old=lambda values: 200 if len(values) <= 10 else 413)
    assert agreement(small, rows(101)) == Agreement(101, 101)


@pytest.mark.parametrize("status", [0, 408, 429, 500, 503, 504])
def test_a_deployment_that_can_not_answer_now_is_not_asked_more(status: int):
    """One request a hundred rows, and none of them counts."""
    both = Deployments(new=lambda _: status)
    assert agreement(both, rows(250)) == Agreement(0, 0, silent=250)
    assert both.asked.count(NEW) == 3


def test_rows_without_an_answer_are_asked_again():
    """The next look asks them, with a part of the others."""
    both = Deployments(new=refusing(550.0, status=503))
    compared = same_rows(both, rows(1_000))
    assert compared.look() == Agreement(900, 900, silent=100)
    both.by[NEW] = well
    both.asked.clear()
    assert compared.look() == Agreement(1_000, 1_000)
    assert both.asked == [NEW, NEW]


def test_each_row_is_asked_again_within_twenty_looks():
    """A deployment that begins to answer otherwise is found, by few requests a look."""
    both = Deployments()
    compared = same_rows(both, rows(4_000))
    compared.look()
    both.by[NEW] = refusing(3_999.0)
    found = [compared.look() for _ in range(20)]
    assert [each.different for each in found] == [0] * 18 + [1, 1]


def test_the_old_one_is_asked_before_the_rollout_only():
    """Twice, whatever it does later."""
    both = Deployments()
    compared = same_rows(both, rows(100))
    both.by[OLD] = refusing(1.0)
    assert compared.look() == compared.look() == Agreement(100, 100)
    assert both.asked.count(OLD) == 2


class Moody(Deployments):
    """Both answer a share of the rows by chance."""

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        values = [row[0] for row in orjson.loads(body)["data"]]
        answers = ["yes" if random.random() < 0.1 else "no" for _ in values]
        return EndpointAnswer(200, orjson.dumps({"predictions": answers}), 1.0)


def test_a_model_that_differs_from_itself_is_judged_by_that():
    """It is asked twice; the new one may differ as much."""
    random.seed(1)
    found = agreement(Moody(), rows(1_000))
    assert found.different / found.rows == pytest.approx(0.18, abs=0.05)
    assert found.unstable / found.rows == pytest.approx(0.18, abs=0.05)
    assert found.limits()[0] == 0


def test_only_rows_that_the_old_one_answers_are_compared():
    """Rows on which it crashes are left out and counted; the order is kept."""
    both = Deployments(old=refusing(7.0, status=500))
    compared = same_rows(both, rows(100), 0.95)
    assert NEW not in both.asked
    assert compared.look() == Agreement(99, 99, left_out=1)


@pytest.mark.parametrize(
    ("old", "share", "sentence"),
    [
        (
            refusing(*map(float, range(6))),
            0.95,
            "6 of the first 6 rows .* \\(status 422\\); give rows .* --sample",
        ),
        (lambda values: 503, 0.95, r"6 of the first 6 rows .* \(status 503\)"),
        (lambda values: 422, 0.01, r"100 of the first 100 rows"),
    ],
)
def test_an_old_one_that_answers_too_few_is_told(old: Status, share: float, sentence: str):
    """It is not asked the remaining rows: so few would prove nothing."""
    with pytest.raises(EndpointError, match=sentence):
        same_rows(Deployments(old=old), rows(100), share)


def test_as_many_as_the_share_says_are_enough():
    """Nine of ten are nine tenths, whatever floating point makes of one minus that."""
    old = refusing(*map(float, range(10)))
    assert same_rows(Deployments(old=old), rows(100), 0.9).look().left_out == 10


def test_a_sample_for_another_model_is_found_out_early():
    """This takes a few requests, not one for each row."""
    both = Deployments(old=lambda values: 422)
    with pytest.raises(EndpointError):
        same_rows(both, rows(1000), 0.95)
    assert len(both.asked) < 150


class Saying(Simulated):
    """Each deployment gives the same predictions, whatever it is asked."""

    def __init__(self, old: list[object], new: list[object]) -> None:
        super().__init__()
        self.said = {OLD: old, NEW: new}

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        return EndpointAnswer(200, orjson.dumps({"predictions": self.said[str(deployment)]}), 1.0)


def test_no_predictions_are_never_alike():
    """Two null are none to compare; of the old one they refuse the rollout, of the new one alone
    they differ."""
    none: list[object] = [None] * 3
    assert agreement(Saying(none, none), rows(3)) == Agreement(0, 0, left_out=3)
    lacking = agreement(Saying([1.0, 2.0, 3.0], [1.0, 2.0, None]), rows(3))
    assert (lacking.same, lacking.rows) == (2, 3)
    with pytest.raises(EndpointError, match="status 200 without predictions"):
        same_rows(Saying(none, none), rows(3), 0.95)
