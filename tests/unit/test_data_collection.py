import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import data_collection
from contract import Contract, Feature
from data_collection import DataCollection
from service import Outcome
from validation import Batch

MODEL: Any = SimpleNamespace(contract=Contract((Feature("age"), Feature("bmi")), ("predict",)))


def outcome(request_id: str = "id-1") -> Outcome:
    batch = Batch(np.array([[1.0, 2.0], [3.0, 4.0]]), "predict")
    return Outcome(request_id, None, "t" * 32, batch=batch, predictions=b"[0,1]")


class Collector:
    """Keeps what it is handed, once it may."""

    def __init__(self, *, fails: int = 0) -> None:
        self.seen: list[tuple[str, Any, str]] = []
        self.may, self.complete = threading.Event(), threading.Event()
        self._fails = fails

    def __call__(self, collection: str, table: Any, correlation: str) -> None:
        self.may.wait(10)
        if self._fails:
            self._fails -= 1
            raise RuntimeError("no")
        self.seen.append((collection, table.to_dict("list"), correlation))
        if len(self.seen) == 2:
            self.complete.set()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("telemetry.event", lambda message, *_: said.append(message))
    return said


def test_inputs_and_outputs_are_handed_over_by_the_request_s_id():
    """As tables, with the model's own names."""
    collector = Collector()
    collector.may.set()
    DataCollection(lambda: MODEL, lambda: collector)(outcome())
    assert collector.complete.wait(10)
    assert collector.seen == [
        ("model_inputs", {"age": [1.0, 3.0], "bmi": [2.0, 4.0]}, "id-1"),
        ("model_outputs", {"prediction": [0, 1]}, "id-1"),
    ]


def test_a_request_never_waits_for_the_collector(told: list[str]):
    """What it can't take in is left out, and that is told once."""
    collector = Collector()
    hook = DataCollection(lambda: MODEL, lambda: collector)
    for _ in range(2 * data_collection.CAPACITY):
        hook(outcome())
    collector.may.set()
    assert told == ["Requests come faster than their data can be collected; some are left out."]


def test_a_collector_that_fails_is_told_once_and_asked_again(told: list[str]):
    """The next request may fare better."""
    collector = Collector(fails=2)
    collector.may.set()
    hook = DataCollection(lambda: MODEL, lambda: collector)
    for number in range(3):
        hook(outcome(str(number)))
    assert collector.complete.wait(10)
    assert [correlation for *_, correlation in collector.seen] == ["2", "2"]
    assert told == ["The data of a request could not be collected (RuntimeError)."]


def test_one_that_can_not_be_opened_disturbs_nothing(told: list[str]):
    """Requests go on."""
    opened = threading.Event()

    def fail() -> Any:
        opened.set()
        raise OSError("no such file")

    hook = DataCollection(lambda: MODEL, fail)
    hook(outcome())
    assert opened.wait(10)
    assert hook._thread
    hook._thread.join(10)
    hook(outcome())
    assert told == ["Data can't be collected (OSError: no such file)."]


def test_requests_without_predictions_are_not_collected():
    """There is nothing to learn from them."""
    hook = DataCollection(lambda: MODEL, pytest.fail)
    hook(Outcome("id-1", None, "t" * 32))
    assert hook._thread is None


@pytest.mark.parametrize(
    ("environment", "installed", "found", "says"),
    [
        ({}, True, False, False),
        ({"AZUREML_MDC_ENABLED": "false"}, True, False, False),
        ({"AZUREML_MDC_ENABLED": "True"}, True, True, False),
        ({"AZUREML_MDC_CONFIG_PATH": "/mdc.json"}, True, True, False),
        ({"AZUREML_MDC_CONFIG_PATH": "/mdc.json"}, False, False, True),
    ],
)
def test_it_is_on_where_the_deployment_says_so(
    environment: dict[str, str],
    installed: bool,
    found: bool,
    says: bool,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Without the package it is off, and the log says what to install."""
    monkeypatch.setattr(data_collection, "PACKAGE", "azureml.ai.monitoring" if installed else "azureml_no.such")
    assert (data_collection.find(lambda: MODEL, environment) is not None) is found
    assert bool(told) is says
