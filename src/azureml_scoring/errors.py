"""The errors of the service, and how a client sees them.

    ScoringError                      one request fails; the service goes on
    ├── ClientError (4xx)             the request must change
    │   ├── 400  EmptyBody, IncompleteBody, MalformedHead, MalformedJson, MalformedCsv,
    │   ├── 400  MalformedNpy, MalformedArrow, MalformedParquet, MalformedTensors,
    │   ├── 400  MalformedEncoding, TooDeep, UnknownForm
    │   ├── 405  MethodNotAllowed
    │   ├── 406  NotAcceptable
    │   ├── 408  BodyTimeout
    │   ├── 413  PayloadTooLarge, TooManyElements, TooManyRows, TooManyFeatures
    │   ├── 415  UnsupportedContentType, UnsupportedContentEncoding
    │   ├── 422  WrongShape, EmptyBatch, WrongFeatures, WrongType, MissingValue, OutOfRange,
    │   │        UnknownMethod, UnknownParameter, ModelRefusedInput
    │   ├── 431  RequestIdTooLong, HeadTooLarge
    │   └── 499  ClientGone (nobody reads it)
    └── ServiceError (5xx)            the request may be right
        ├── 500  ModelFailed, NonFinitePrediction, InternalError
        ├── 503  Overloaded, NotReady (with Retry-After)
        └── 504  DeadlineExceeded
    StartupError                      init() can't continue: one sentence that says what to do

Each class owns its status, its stable code and, if a retry helps, the seconds to wait. No message
holds a value from the request.
"""

from __future__ import annotations

import math
from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar

MAX_REASON_CHARS = 200
"""How much of another exception's message goes into one of ours."""


class ScoringError(Exception):
    """A request that can't be answered with predictions.

    ``location`` is a JSON pointer (RFC 6901) into the request body, where ``""`` is all of it, or
    None if the body is not the cause.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    retry_after_s: float | None = None

    def __init__(self, message: str, location: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that this error adds to its answer."""
        if self.retry_after_s is None:
            return {}
        return {
            "Retry-After": str(math.ceil(self.retry_after_s)),
            "retry-after-ms": str(math.ceil(1000 * self.retry_after_s)),
        }


class ClientError(ScoringError):
    """The request must change before it can succeed."""


class EmptyBody(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "empty_body"


class IncompleteBody(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "incomplete_body"


class MalformedHead(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_head"


class MalformedJson(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_json"


class MalformedCsv(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_csv"


class MalformedNpy(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_npy"


class MalformedArrow(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_arrow"


class MalformedParquet(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_parquet"


class MalformedTensors(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_tensors"


class MalformedEncoding(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "malformed_encoding"


class TooDeep(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "too_deep"


class UnknownForm(ClientError):
    status, code = HTTPStatus.BAD_REQUEST, "unknown_form"


class MethodNotAllowed(ClientError):
    status, code = HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": "POST, OPTIONS"}


class NotAcceptable(ClientError):
    status, code = HTTPStatus.NOT_ACCEPTABLE, "not_acceptable"


class BodyTimeout(ClientError):
    status, code = HTTPStatus.REQUEST_TIMEOUT, "body_timeout"


class PayloadTooLarge(ClientError):
    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload_too_large"


class TooManyElements(ClientError):
    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_elements"


class TooManyRows(ClientError):
    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_rows"


class TooManyFeatures(ClientError):
    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_features"


class UnsupportedContentType(ClientError):
    status, code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type"


class UnsupportedContentEncoding(ClientError):
    status, code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding"


class WrongShape(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_shape"


class EmptyBatch(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "empty_batch"


class WrongFeatures(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_features"


class WrongType(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_type"


class MissingValue(ClientError):
    """``feature``: its place in the contract, for drift; None if it is not known."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "missing_value"
    feature: int | None = None


class OutOfRange(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "out_of_range"


class UnknownMethod(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_method"


class UnknownParameter(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_parameter"


class ModelRefusedInput(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "model_refused_input"


class RequestIdTooLong(ClientError):
    status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request_id_too_long"


class HeadTooLarge(ClientError):
    status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"


class ClientGone(ClientError):
    """The client closed the connection. 499 is nginx's and Azure's status for that."""

    status, code = 499, "client_gone"

    def __init__(
        self, message: str = "The client closed the connection before its turn came."
    ) -> None:
        super().__init__(message)


class ServiceError(ScoringError):
    """The service failed or reached a limit: these errors count against the SLO."""


class ModelFailed(ServiceError):
    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "model_failed"


class NonFinitePrediction(ServiceError):
    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "non_finite_prediction"


class InternalError(ServiceError):
    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"


TOO_LATE = "No answer before the request's deadline."

RETRY = "send it again after the time in the header Retry-After, or more exactly retry-after-ms"
"""The advice of a refusal."""


class OverloadReason(StrEnum):
    """Why a request is refused.

    QUEUE: it would wait too long. DEADLINE: its answer would come after its deadline. WAITED: it
    did wait too long. FULL: the worker holds as many requests as it can. MEMORY: the worker holds
    as many bytes as it may.
    """

    QUEUE, DEADLINE, WAITED, FULL, MEMORY = "queue", "deadline", "waited", "full", "memory"


class Overloaded(ServiceError):
    """``retry_after_s``: when there may be room."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "overloaded"

    def __init__(
        self,
        message: str,
        *,
        reason: OverloadReason = OverloadReason.QUEUE,
        retry_after_s: float = 1.0,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class NotReady(ServiceError):
    status, code, retry_after_s = HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", 5.0


class DeadlineExceeded(ServiceError):
    status, code = HTTPStatus.GATEWAY_TIMEOUT, "deadline_exceeded"


class StartupError(Exception):
    """``init()`` can't continue. The message is one sentence that says what is wrong and what to
    do."""


def reason(error: BaseException | None) -> str:
    """Describe another library's exception on one line without control characters: its type, and
    its message or the first line of a long one."""
    try:
        message = str(error).strip()
    except BaseException:  # the __str__ of a model's own exception may fail
        message = ""
    if len(message) > MAX_REASON_CHARS:
        message = message.partition("\n")[0].rstrip(".")
    plain = "".join(char if char.isprintable() else " " for char in message[: 4 * MAX_REASON_CHARS])
    return " ".join(f"{type(error).__name__}: {plain}".split())[:MAX_REASON_CHARS].rstrip(": ")
