"""For any request the answer is valid JSON, no failure of ours, and no echo of the input."""

import http.client
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import support
from azureml_scoring.inputs.envelopes import ENVELOPES
from blackbox.server import PATIENCE, Server

pytestmark = pytest.mark.any_worker

SECRET = "s3cr3t-v4lu3"
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text() | st.just(SECRET)
ROWS = st.lists(SCALARS, min_size=9, max_size=11) | st.lists(NUMBERS, min_size=10, max_size=10)
DATA = (
    st.lists(ROWS, max_size=4)
    | ROWS
    | st.recursive(SCALARS, lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
COLUMNS = st.permutations(support.NAMES) | st.lists(
    st.sampled_from([*support.NAMES, SECRET]) | SCALARS
)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from([*support.NAMES, SECRET]) | st.text(), SCALARS)
    | st.fixed_dictionaries(dict.fromkeys(support.NAMES, NUMBERS)),
    max_size=4,
)
DOCUMENTS = st.one_of(
    DATA,
    st.fixed_dictionaries({"data": DATA}, optional={"method": SCALARS | st.just("predict_proba")}),
    st.fixed_dictionaries(
        {"input_data": st.fixed_dictionaries({"data": DATA}, optional={"columns": COLUMNS})}
    ),
    st.dictionaries(
        st.text() | st.sampled_from(["data", "input_data", "method", SECRET]), DATA, max_size=3
    ),
    RECORDS,
    st.dictionaries(
        st.sampled_from([*ENVELOPES, "params", "GlobalParameters", "method", "columns"]),
        RECORDS | DATA | st.dictionaries(st.sampled_from(support.NAMES), DATA),
        max_size=3,
    ),
)
HEADER_TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=120
)
KNOWN = [
    "Content-Type",
    "Content-Encoding",
    "x-request-id",
    "x-ms-client-request-id",
    "traceparent",
    "Accept",
]
FRAMING = {"content-length", "transfer-encoding", "connection", "expect", "upgrade", "host"}
"""Those are the HTTP server's own: it answers for them before there is a request."""
OTHER = st.from_regex(r"[A-Za-z][A-Za-z-]{0,20}", fullmatch=True).filter(
    lambda name: name.lower() not in FRAMING
)
HEADERS = st.dictionaries(
    st.sampled_from(KNOWN) | OTHER,
    HEADER_TEXT
    | st.sampled_from(
        [
            *("application/json", "gzip", "application/json; charset=utf-16"),
            *("text/csv", "multipart/form-data", "application/x-npy, */*;q=0.5"),
        ]
    ),
)
MANY = settings(max_examples=2 * settings().max_examples, suppress_health_check=list(HealthCheck))


def post(server: Server, body: bytes, headers: dict[str, str]) -> tuple[int, object]:
    """Return the status and the JSON of the answer. A table counts as JSON with predictions."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.putrequest("POST", "/score")
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body)
        response = connection.getresponse()
        raw = response.read()
    finally:
        connection.close()
    assert SECRET.encode() not in raw
    if response.status == 200 and response.headers["content-type"] != "application/json":
        return response.status, {"predictions": raw}
    return response.status, json.loads(raw, parse_constant=lambda constant: 1 / 0)


def check(server: Server, body: bytes, headers: dict[str, str]) -> None:
    status, answer = post(server, body, headers)
    assert status < 500
    assert isinstance(answer, dict)
    assert ("predictions" in answer) == (status == 200)


@MANY
@given(document=DOCUMENTS)
@example(document=[[1e308] * 10])
@example(document={"data": [[5e-324] * 10], "method": "decision_function"})
def test_any_json_is_answered(demo: Server, document: object):
    """Every document gets an answer, close to a valid one or not."""
    check(
        demo,
        json.dumps(document).encode("utf-8", "surrogatepass"),
        {"Content-Type": "application/json"},
    )


@MANY
@given(body=st.binary(max_size=300), headers=HEADERS)
def test_any_bytes_under_any_headers_are_answered(
    demo: Server, body: bytes, headers: dict[str, str]
):
    """No header and no byte breaks the service."""
    check(demo, body, headers)


@MANY
@given(headers=HEADERS)
def test_a_good_body_under_any_headers_is_answered(demo: Server, headers: dict[str, str]):
    """Headers alone do not break the service either."""
    check(
        demo,
        json.dumps({"data": [support.ROW]}).encode(),
        {"Content-Type": "application/json"} | headers,
    )
