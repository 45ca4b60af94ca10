"""Everything that can go wrong, and what the client is told.

    ScoringError                      one request; the service goes on
    ├── ClientError (4xx)             the request must change
    │   ├── 400  EmptyBody, IncompleteBody, MalformedHead, MalformedJson,
    │   ├── 400  MalformedEncoding, TooDeep, UnknownForm
    │   ├── 405  MethodNotAllowed
    │   ├── 408  BodyTimeout
    │   ├── 413  PayloadTooLarge, TooManyElements, TooManyRows, TooManyFeatures
    │   ├── 415  UnsupportedContentType, UnsupportedContentEncoding
    │   ├── 422  WrongShape, EmptyBatch, WrongFeatures, WrongType, MissingValue, OutOfRange,
    │   │        UnknownMethod, ModelRefusedInput
    │   └── 431  RequestIdTooLong, HeadTooLarge
    └── ServiceError (5xx)            the request may be right
        ├── 500  ModelFailed, NonFinitePrediction, InternalError
        ├── 503  Overloaded, NotReady (with Retry-After)
        └── 504  DeadlineExceeded
    StartupError                      init() can't go on: one sentence that says what to do

Each class owns its status, its stable code and, where a retry helps, after how many seconds. No
message holds a value from the request.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

REASON = 200
"""Characters of another's message that go into a sentence of ours."""


class ScoringError(Exception):
    """One request that can't be answered with predictions.

    ``location`` is a JSON pointer (RFC 6901) into the request body, ``""`` being the whole of it,
    or None where the body is not to blame.
    """

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    retry_after: ClassVar[int | None] = None

    def __init__(self, message: str, location: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location

    @property
    def headers(self) -> dict[str, str]:
        """What HTTP wants said beside the body."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


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
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "missing_value"


class OutOfRange(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "out_of_range"


class UnknownMethod(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_method"


class ModelRefusedInput(ClientError):
    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "model_refused_input"


class RequestIdTooLong(ClientError):
    status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request_id_too_long"


class HeadTooLarge(ClientError):
    status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"


class ServiceError(ScoringError):
    """Our fault or our limit: these count against the SLO."""


class ModelFailed(ServiceError):
    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "model_failed"


class NonFinitePrediction(ServiceError):
    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "non_finite_prediction"


class InternalError(ServiceError):
    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"


class Overloaded(ServiceError):
    status, code, retry_after = HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", 1


class NotReady(ServiceError):
    status, code, retry_after = HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", 5


class DeadlineExceeded(ServiceError):
    status, code = HTTPStatus.GATEWAY_TIMEOUT, "deadline_exceeded"


class StartupError(Exception):
    """``init()`` can't go on. The message is one sentence that says what is wrong and what to
    do."""


def reason(error: BaseException | None) -> str:
    """What an exception of others says, on one line without control characters: its type, and its
    message or the first line of a long one."""
    try:
        message = str(error).strip()
    except BaseException:  # a model's own exceptions may fail at that, too
        message = ""
    if len(message) > REASON:
        message = message.partition("\n")[0].rstrip(".")
    plain = "".join(sign if sign.isprintable() else " " for sign in message[: 4 * REASON])
    return " ".join(f"{type(error).__name__}: {plain}".split())[:REASON].rstrip(": ")
