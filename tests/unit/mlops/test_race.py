"""The race of engines, with times that are made up: real ones are noisy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines.race import EngineName, Race
from mlops.race import ROWS, TURNS, race, shortest_s, table

SAMPLE = np.arange(6.0).reshape(3, 2)


class Engines:
    """Engines that take a made-up time for each number of rows."""

    def __init__(self, **seconds: tuple[float, ...]) -> None:
        self.seconds = seconds
        self.asked: list[tuple[str, int]] = []
        self._taken = 0.0

    def predict(self, name: str) -> Callable[[Batch], list[Any]]:
        def predict(batch: Batch) -> list[Any]:
            self.asked.append((name, len(batch.X)))
            self._taken = self.seconds[name][ROWS.index(len(batch.X))]
            return []

        return predict

    def timer(self, call: Callable[[], object]) -> float:
        call()
        return self._taken

    def race(self) -> Race:
        engines: dict[EngineName, Any] = {name: self.predict(name) for name in self.seconds}  # type: ignore[misc]
        return race(engines, SAMPLE, "predict", self.timer)


def winners(**seconds: tuple[float, ...]) -> tuple[str, str, int]:
    outcome = Engines(**seconds).race()
    return outcome.small, outcome.large, outcome.large_from


def test_the_quickest_engine_answers():
    """If it is quicker for one row and for many, it answers all."""
    assert winners(numpy=(9, 9, 9), onnxruntime=(1, 1, 1), estimator=(50, 50, 50)) == (
        "onnxruntime",
        "onnxruntime",
        1,
    )


def test_a_little_quicker_is_not_enough():
    """Times are noisy: the simpler engine is replaced only if another one is clearly quicker."""
    assert winners(numpy=(1.1, 1.1, 1.1), onnxruntime=(1, 1, 1))[:2] == ("numpy", "numpy")
    assert winners(numpy=(1.3, 1.3, 1.3), onnxruntime=(1, 1, 1))[:2] == ("onnxruntime",) * 2


def test_large_batches_may_have_another_engine():
    """From as many rows on as it is the quicker one."""
    assert winners(onnxruntime=(1, 10, 100), booster=(19, 19, 19)) == (
        "onnxruntime",
        "booster",
        19,
    )
    assert winners(onnxruntime=(1, 10, 100), booster=(2, 2, 2)) == ("onnxruntime", "booster", 2)


@pytest.mark.parametrize("at_one", [1.1, 1.0])
def test_an_engine_that_is_quicker_for_all_sizes_needs_no_other(at_one: float):
    """Even if it is hardly quicker for one row."""
    assert winners(numpy=(at_one, 10, 100), onnxruntime=(1, 2, 3)) == (
        "onnxruntime",
        "onnxruntime",
        1,
    )


def test_the_model_itself_may_win_large_batches():
    """Some libraries compute many rows together quicker than any graph."""
    assert winners(onnxruntime=(1, 10, 100), estimator=(46, 46, 46)) == (
        "onnxruntime",
        "estimator",
        46,
    )


def test_an_engine_without_a_chance_is_not_asked_again():
    """Packaging must not wait for a slow estimator nine times."""
    engines = Engines(onnxruntime=(1, 1, 1), estimator=(50, 50, 50))
    outcome = engines.race()
    assert [engines.asked.count(("estimator", rows)) for rows in ROWS] == [1, 1, 1]
    assert [engines.asked.count(("onnxruntime", rows)) for rows in ROWS] == [TURNS] * 3
    assert outcome.microseconds["estimator"] == (50e6, 50e6, 50e6)


def test_the_table_says_who_answers():
    """A line for each engine, and one for the winners."""
    lines = table(Race(ROWS, {"numpy": (5.2, 6.0, 91.3)}, "numpy", "numpy"))
    assert lines[0].split() == ["µs", "a", "batch", "of", "1", "row", "10", "rows", "100", "rows"]
    assert lines[1].split() == ["graph", "by", "numpy", "5", "6", "91"]
    assert lines[2].split() == ["answers", "graph", "by", "numpy"]
    both = Race(ROWS, {}, "onnxruntime", "booster", 34)
    assert table(both)[-1].endswith("graph by ONNX Runtime; from 34 rows: booster's own library")


def test_a_call_is_timed_at_least_once_however_long_it_takes():
    """The time is a number of seconds."""
    called = []
    assert 0 < shortest_s(lambda: called.append(1)) < 60
    assert called
