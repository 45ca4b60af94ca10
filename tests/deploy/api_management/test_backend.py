"""The endpoint behind the gateway: how it may fail, and what the caller sees of that."""

from __future__ import annotations

import pytest

from apim.loading import CircuitOpen
from apim.messages import Failure
from apim.world import OUR_REFUSAL, World, refusal
from mlops.deployment import GATEWAY_TIMEOUT_MS


def test_backend_slow(world: World) -> None:
    """The endpoint has 30 seconds, as `mlops check` assumes; then the answer is 504 in our
    format."""
    world.takes = GATEWAY_TIMEOUT_MS / 1000
    assert world.call().status == 200
    world.takes += 0.1
    refusal(world.call(), 504, "backend_timeout")


@pytest.mark.parametrize(
    ("raised", "status", "code", "retry"),
    [
        (ConnectionError(), 502, "backend_unreachable", None),
        (CircuitOpen(), 503, "backend_unavailable", "10"),
    ],
)
def test_backend_gone(
    world: World, raised: Exception, status: int, code: str, retry: str | None
) -> None:
    """An endpoint that can't be reached is 502; one that the circuit breaker spares is 503 with
    Retry-After."""
    world.raises = raised
    response = world.call()
    refusal(response, status, code)
    assert response.headers.get("Retry-After") == (retry or "")


@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_our_refusals_pass(world: World, status: int) -> None:
    """The scoring server's own refusals on AKS come back unchanged."""
    world.fails(status, OUR_REFUSAL, Retry_After="3")
    response = world.call(x_request_id="order-17")
    assert (response.status, response.body, response.headers["Retry-After"]) == (
        status,
        OUR_REFUSAL,
        "3",
    )
    assert response.headers["x-correlation-id"] == "order-17"


@pytest.mark.parametrize("real", [400, 413, 422, 500, 503, 504])
def test_424_is_translated(world: World, real: int) -> None:
    """A managed endpoint's 424 becomes the status that the scoring server gave, with its body."""
    world.fails(
        424,
        OUR_REFUSAL,
        ms_azureml_model_error_statuscode=str(real),
        ms_azureml_model_error_reason="Why",
    )
    response = world.call()
    assert (response.status, response.reason, response.body) == (real, "Why", OUR_REFUSAL)
    assert response.headers.get("Retry-After") == ("10" if real == 503 else "")


@pytest.mark.parametrize("header", ["", "200", "99", "4xx", "42200", "422,500"])
def test_424_without_a_status(world: World, header: str) -> None:
    """424 stays if the endpoint does not name the model's status."""
    world.fails(424, OUR_REFUSAL, ms_azureml_model_error_statuscode=header)
    response = world.call()
    assert (response.status, response.body) == (424, OUR_REFUSAL)


@pytest.mark.parametrize("status", [400, 408, 424, 429, 500, 503])
def test_platform_errors_are_put_in_our_format(world: World, status: int) -> None:
    """Azure ML's own refusals keep their status and get our format."""
    world.fails(status)
    response = world.call()
    refusal(response, status, "backend_error")
    assert response.headers.get("Retry-After") == ("10" if status in (429, 503) else "")
    world.fails(status, b"")
    refusal(world.call(), status, "backend_error")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_of_the_endpoint_is_kept(world: World, status: int) -> None:
    """The endpoint's time to wait is kept, in Azure's header or ours; without one it is 10
    seconds."""
    world.fails(status, Retry_After="7")
    assert world.call().headers["Retry-After"] == "7"
    world.fails(status, OUR_REFUSAL, Retry_After="7")
    assert world.call().headers["Retry-After"] == "7"
    world.fails(status, OUR_REFUSAL)
    assert world.call().headers["Retry-After"] == "10"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusal_of_the_gateway_is_not_the_callers(world: World, status: int) -> None:
    """An endpoint that turns the gateway away is 502: the caller's key is right."""
    world.fails(status)
    assert "operators" in str(refusal(world.call(), 502, "backend_refused")["error"])


def test_whatever_the_expressions_throw(world: World) -> None:
    """A mistake in a policy is 500 in our format, not a page of API Management's."""
    world.raises = Failure("set-header", "ExpressionValueEvaluationFailure", 500)
    refusal(world.call(), 500, "gateway_error")
