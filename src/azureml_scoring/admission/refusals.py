"""The answers to refused requests."""

from __future__ import annotations

from azureml_scoring.admission.retry_after import Appointments
from azureml_scoring.admission.slot_queue import Refusal
from azureml_scoring.errors import RETRY, Overloaded, OverloadReason

MESSAGES = {
    OverloadReason.QUEUE: f"The service has more work than it can do in time; {RETRY}.",
    OverloadReason.DEADLINE: f"The answer would come after the request's deadline; {RETRY}, or "
    "allow more time.",
    OverloadReason.FULL: f"The service has as many requests as it can hold; {RETRY}.",
    OverloadReason.WAITED: f"The request waited too long for its turn; {RETRY}.",
}


class Refusals:
    """Tells the refused clients of one queue why, and when to come back."""

    def __init__(self) -> None:
        self._appointments = Appointments()

    def error(self, refusal: Refusal, now: float, request_s: float) -> Overloaded:
        """``request_s``: what a request takes of the time of the whole queue, in seconds."""
        return Overloaded(
            MESSAGES[refusal.reason],
            reason=refusal.reason,
            retry_after_s=self._appointments.retry_after_s(now, refusal.drain_s, request_s),
        )
