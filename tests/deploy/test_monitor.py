"""Azure ML's monitor, endpoints/monitor.yml, as azure-ai-ml sends it."""

from __future__ import annotations

from typing import Any

import pytest
from azure.ai.ml.entities._load_functions import load_schedule

from azureml_scoring.models.drift_rule import MIN_DRIFT
from deploy.checkout import BLUE, REPOSITORY, Checkout, check

MONITOR = "monitor.yml"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    """What is sent to Azure."""
    schedule = load_schedule(REPOSITORY / "endpoints" / MONITOR)._to_rest_object().as_dict()
    sent: dict[str, Any] = schedule["properties"]["action"]["monitorDefinition"]
    return sent


def test_the_monitor_has_the_three_signals_and_our_limit(definition: dict[str, Any]):
    """Drift of inputs and of predictions at our own index, and data quality, each with an alert."""
    signals = {signal["signalType"]: signal for signal in definition["signals"].values()}
    assert signals.keys() == {"DataDrift", "PredictionDrift", "DataQuality"}
    assert {signal["mode"] for signal in signals.values()} == {"Enabled"}
    for name in ("DataDrift", "PredictionDrift"):
        thresholds = signals[name]["metricThresholds"]
        assert [one["dataType"] for one in thresholds] == ["Numerical", "Categorical"]
        for one in thresholds:
            assert one["metric"] == "populationStabilityIndex"
            assert one["threshold"]["value"] == MIN_DRIFT
    metrics = [one["metric"] for one in signals["DataQuality"]["metricThresholds"]]
    assert metrics == ["nullValueRate", "dataTypeErrorRate", "outOfBoundsRate"] * 2
    assert definition["alertNotificationSetting"] == {"alertNotificationType": "AzureMonitor"}


def test_the_monitor_signs_in_without_a_key(definition: dict[str, Any]):
    """Its jobs have a token, and the file holds no secret."""
    identity = definition["computeConfiguration"]["computeIdentity"]
    assert identity == {"computeIdentityType": "AmlToken"}


def test_a_deployment_that_collects_nothing_is_told(checkout: Checkout):
    """A monitor has only what its deployment collects."""
    checkout.change(
        BLUE, "data_collector", value={"collections": {"model_inputs": {"enabled": "True"}}}
    )
    (problem,) = check(checkout.endpoints / MONITOR)
    assert "without the collection model_outputs" in problem.wrong
    assert problem.instead == f"add it below data_collector in {BLUE}"


def test_a_monitor_alone_may_name_any_deployment(checkout: Checkout):
    """Where no deployment's file lies beside it, only Azure knows whether there is one."""
    for file in checkout.endpoints.glob("*-deployment.yml"):
        file.unlink()
    assert check(checkout.endpoints / MONITOR) == []


def test_a_runtime_that_azure_ai_ml_refuses_is_told(checkout: Checkout):
    """It would be refused only when the monitor is created."""
    path = checkout.change(MONITOR, "create_monitor", "compute", "runtime_version", value="3.3")
    (problem,) = check(path)
    assert "Compute runtime version must be one of: 3.4, 3.5" in problem.wrong
