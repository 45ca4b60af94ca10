"""The promises of a cache by row: which rows are computed, and that answers equal the model's."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import support
from azureml_scoring.caching.lookup import Computed
from azureml_scoring.errors import ModelFailed
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.request import ANYTHING, CacheState, Directive
from counted_cache import NO_CACHE, NO_STORE, Setup
from redis_server import Valkey


def by_row(tiers: str, server: Valkey | None = None) -> Setup:
    return Setup(tiers, server, by_row=True)


def test_by_row_only_the_unknown_rows_are_computed(redis_server: Valkey):
    """If 90 of 100 rows are known, 10 are computed, with one look-up and one store."""
    setup = by_row("redis", redis_server)
    rows = [[float(i), 0.0] for i in range(100)]
    setup.ask(rows[:90])
    setup.compute.rows = []
    writes = redis_server.commands("set")
    assert setup.ask(rows) == ([2.0 * i for i in range(100)], CacheState.MISS)
    assert setup.compute.rows == [float(i) for i in range(90, 100)]
    assert redis_server.commands("set") - writes == 10
    assert setup.ask(rows[::-1]) == ([2.0 * i for i in reversed(range(100))], CacheState.HIT)


def test_by_row_a_row_that_stands_twice_is_computed_once():
    """Both places get its answer."""
    setup = by_row("memory")
    assert setup.ask([[1, 2], [3, 4], [1, 2]])[0] == [2.0, 6.0, 2.0]
    assert sorted(setup.compute.rows) == [1.0, 3.0]


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), max_size=10))
def test_by_row_answers_keep_the_order_of_the_request(batches: list[list[int]]):
    """Earlier requests do not change it, and no row is computed twice."""
    setup = by_row("memory")
    for batch in batches:
        assert setup.ask([[float(value), 0.0] for value in batch])[0] == [
            2.0 * value for value in batch
        ]
    assert len(setup.compute.rows) == len(set(setup.compute.rows))


def test_by_row_overlapping_requests_in_flight_do_not_wait_for_each_other_in_a_circle():
    """Each computes the rows that it leads before it waits for other rows."""
    setup = by_row("memory")
    setup.compute.hold = lambda: time.sleep(0.001)
    rng = np.random.default_rng(0)
    batches = [rng.permutation(12)[:6].tolist() for _ in range(200)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda b: setup.ask([[float(v), 0.0] for v in b])[0], batches))
    assert answers == [[2.0 * v for v in b] for b in batches]


class Contract(RuleBasedStateMachine):
    """Any sequence of requests, models and directives gets the answers that the model gives."""

    def __init__(self) -> None:
        super().__init__()
        self.setup = Setup("memory", by_row=True)

    @rule(
        values=st.lists(st.integers(0, 5), min_size=1, max_size=4),
        directive=st.sampled_from([ANYTHING, NO_CACHE, NO_STORE]),
        version=st.sampled_from(["1", "2"]),
        fails=st.booleans(),
    )
    def ask(self, values: list[int], directive: Directive, version: str, fails: bool) -> None:
        factor = 2 if version == "1" else 3

        def compute(batch: Batch) -> Computed:
            if fails:
                raise ModelFailed("no")
            return Computed((batch.X[:, 0] * factor).tolist(), shareable=True)

        batch = Batch(np.array([[float(value), 0.0] for value in values]), "predict")
        try:
            answer = self.setup.cache.predictions(
                support.model(version=version), batch, directive, compute, 0
            )
        except ModelFailed:
            return
        assert orjson.loads(answer.json) == [float(factor * value) for value in values]


TestContract = Contract.TestCase
