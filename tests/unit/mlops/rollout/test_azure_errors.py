import pytest
from azure.core.exceptions import ServiceResponseError

from mlops.rollout import azure_errors


class Busy:
    """A response of which azure-core makes an error."""

    status_code, reason, headers = 409, "Conflict", {}

    def text(self) -> str:
        return ""


@pytest.mark.parametrize(
    "error",
    [
        ServiceResponseError("The connection was cut."),
        azure_errors.HttpResponseError(response=Busy()),
    ],
)
def test_a_pause_has_a_length_where_azure_names_none(error: Exception):
    """Nobody retries in a tight loop."""
    assert azure_errors.pause(error) == azure_errors.PAUSE_S > 1
