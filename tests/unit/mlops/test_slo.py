"""The objectives of the package agree with those of the service."""

from azureml_scoring.admission.wait_limit import PATIENCE
from azureml_scoring.settings import Settings
from mlops.slo import Slo


def test_the_service_refuses_by_the_objectives_that_operators_watch():
    """By default it keeps answers within the SLO's P95, and lets a burst wait up to its P99."""
    objective_ms = Settings().scoring_latency_objective_ms
    assert objective_ms == Slo().p95_ms
    assert PATIENCE * objective_ms == Slo().p99_ms
