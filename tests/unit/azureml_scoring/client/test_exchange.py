from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

import support
from arm.https import DROP, HttpsServer, Reply, serving
from arm.scoring import as_azure_answers
from azureml_scoring.client import Client, NoAnswer, ScoreError
from azureml_scoring.client.authorization import Authorization
from azureml_scoring.client.exchange import Exchange
from azureml_scoring.client.retry import JITTER, MAX_PAUSE_S, pause_s
from mlops.score_refused import sentence

GOOD = Reply(200, {"predictions": [0, 1], "metadata": {}})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HttpsServer]:
    """A server that answers two predictions, except for the faults that a test schedules."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with serving(lambda _: GOOD, authority) as server:
        yield server


class Asking:
    """A client that records its pauses in seconds."""

    def __init__(self, url: str, secret: str | None = None, **options: str) -> None:
        self.pauses: list[float] = []
        self.client = Client(f"{url}/score", secret, sleep=self.sleep, **options)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def score(self) -> list[object]:
        with self.client as client:
            return client.score_body(b"[[1], [2]]")

    def refusal(self) -> str:
        with pytest.raises(ScoreError) as caught:
            self.score()
        message = sentence(caught.value, lambda row: f"row {101 + row}" if row < 50 else None)
        assert "\n" not in message
        return message


def about(pauses: list[float], expected: list[float]) -> bool:
    """True if each pause is as expected, but for its jitter."""
    return len(pauses) == len(expected) and all(
        least <= pause <= least * (1 + JITTER)
        for pause, least in zip(pauses, expected, strict=True)
    )


def test_predictions_come_back_as_they_are(server: HttpsServer):
    """The body is sent unchanged, with the key and the deployment's name."""
    assert Asking(server.url, secret="key-1", deployment="green").score() == [0, 1]
    (sent,) = server.requests
    assert (sent.method, sent.path, sent.body) == ("POST", "/score", b"[[1], [2]]")
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["authorization"] == "Bearer key-1"
    assert sent.headers["azureml-model-deployment"] == "green"


def test_nothing_is_sent_that_was_not_given(server: HttpsServer):
    """A local server needs no key."""
    Asking(server.url).score()
    assert not {"authorization", "azureml-model-deployment"} & set(server.requests[0].headers)


@pytest.mark.parametrize("body", [[3, 4], {"predictions": [3, 4]}])
def test_lists_of_other_servers_are_predictions_too(server: HttpsServer, body: object):
    """MLflow's server, for example, answers a bare list."""
    server.fail(1, Reply(200, body), "POST", "/score")
    assert Asking(server.url).score() == [3, 4]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("hidden", [False, True])
def test_a_busy_server_is_retried(server: HttpsServer, status: int, hidden: bool):
    """It is retried after Retry-After, whether the platform or the model behind a 424 refused."""
    reply = Reply(status, {"error": "Busy."}, {"Retry-After": "7"})
    server.fail(2, as_azure_answers(reply) if hidden else reply, "POST", "/score")
    asking = Asking(server.url)
    assert asking.score() == [0, 1]
    assert about(asking.pauses, [7, 7])


def test_pauses_grow_where_the_server_names_none(server: HttpsServer):
    """The number of attempts is limited."""
    server.fail(9, Reply(429), "POST", "/score")
    asking = Asking(server.url)
    assert "it is busy; try again later" in asking.refusal()
    assert about(asking.pauses, [1, 2, 4, 8])
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("document", "tries"), [(None, 2), ({"error": "Busy.", "code": "overloaded"}, 5)]
)
def test_a_503_that_says_nothing_is_asked_once_more(
    server: HttpsServer, document: object, tries: int
):
    """Service meshes give it when a worker dies, and the request may be what killed it; the
    service's own names a code."""
    server.fail(9, Reply(503, document), "POST", "/score")
    assert "503" in Asking(server.url).refusal()
    assert len(server.requests) == tries


def test_a_date_is_a_pause_too(server: HttpsServer):
    """Retry-After may be seconds or a date; an invalid date counts as missing."""
    past = email.utils.formatdate(time.time() - 60, usegmt=True)
    for said, expected in {past: 0.0, "soon": 1.0}.items():
        server.fail(1, Reply(503, None, {"Retry-After": said}), "POST", "/score")
        asking = Asking(server.url)
        assert asking.score() == [0, 1]
        assert about(asking.pauses, [expected])


def test_milliseconds_are_more_exact_than_seconds(server: HttpsServer):
    """retry-after-ms goes before Retry-After, unless it is no number."""
    for exact, expected in {"250": 0.25, "soon": 1.0}.items():
        headers = {"Retry-After": "1", "retry-after-ms": exact}
        server.fail(1, Reply(503, None, headers), "POST", "/score")
        asking = Asking(server.url)
        assert asking.score() == [0, 1]
        assert about(asking.pauses, [expected])


@pytest.mark.parametrize(
    ("headers", "attempt", "longest"),
    [
        ({}, 3, 4 * (1 + JITTER)),
        ({}, 20, MAX_PAUSE_S * (1 + JITTER)),
        ({"Retry-After": "60"}, 1, 60 * (1 + JITTER)),
        ({"Retry-After": "1", "retry-after-ms": "800"}, 1, 0.8),
        ({"Retry-After": str(int(MAX_PAUSE_S) + 1)}, 1, None),
    ],
)
def test_who_was_refused_together_does_not_come_back_together(
    headers: dict[str, str], attempt: int, longest: float | None
):
    """A pause gets a jitter, unless the server gives each client a time of its own; none is shorter
    than the server says."""
    assert pause_s(headers, attempt, max) == longest


def test_nobody_waits_for_an_hour(server: HttpsServer):
    """A Retry-After of more than a minute is reported to the user at once."""
    server.fail(1, Reply(429, None, {"Retry-After": "3600"}), "POST", "/score")
    asking = Asking(server.url)
    asking.refusal()
    assert asking.pauses == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 500, 502, 504])
@pytest.mark.parametrize("hidden", [False, True])
def test_what_will_not_help_is_not_tried(server: HttpsServer, status: int, hidden: bool):
    """A bad request stays bad, and one that failed or timed out may crash the model."""
    reply = Reply(status, {"error": "No.", "code": "no", "status": status})
    server.fail(9, as_azure_answers(reply) if hidden else reply, "POST", "/score")
    assert Asking(server.url).refusal() == f"No. ({status} no)"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "BadRequest", "message": "No such endpoint."}},
        {"error_code": "BAD_REQUEST", "message": "No such endpoint."},
    ],
    ids=["Azure", "MLflow"],
)
def test_the_reason_of_other_servers_is_told(server: HttpsServer, body: object):
    """Azure's own errors and MLflow's have their text at other places."""
    server.fail(1, Reply(400, body), "POST", "/score")
    assert Asking(server.url).refusal() == "No such endpoint. (400)"


def test_a_424_of_the_platforms_own_is_not_tried_again(server: HttpsServer):
    """Without the model's status nobody knows what happened."""
    server.fail(9, Reply(424, b""), "POST", "/score")
    assert "(424)" in Asking(server.url).refusal()
    assert len(server.requests) == 1


def test_an_error_names_its_row(server: HttpsServer):
    """The error names the row in the file, not in a request that the user did not write."""
    places = {
        "/input_data/data/3/0": "in row 104",
        "/input_data/3": "in row 104",
        "/input_data/data/50/0": "",
        "/3": "",
    }
    for location, place in places.items():
        body = {
            "error": "Feature age must be a number.",
            "code": "wrong_type",
            "location": location,
        }
        server.fail(1, as_azure_answers(Reply(422, body)), "POST", "/score")
        said = Asking(server.url).refusal()
        assert said == f"Feature age must be a number. (422 wrong_type {place or f'at {location}'})"


def test_a_connection_that_drops_is_tried_once_more(server: HttpsServer):
    """Scoring changes nothing, so a lost answer may be asked for again; but the request may be what
    kills the workers, so only once."""
    server.fail(1, DROP, "POST", "/score")
    assert Asking(server.url).score() == [0, 1]
    server.fail(9, DROP, "POST", "/score")
    assert "can't be reached" in Asking(server.url).refusal()
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateways_error_is_tried_once_more(server: HttpsServer, status: int):
    """A gateway's error has no code of the service's."""
    server.fail(9, Reply(status, b"<html>"), "POST", "/score")
    assert f"({status})" in Asking(server.url).refusal()
    assert len(server.requests) == 2


def test_a_server_that_is_not_up_yet_is_waited_for():
    """A refused connection reached no model, so it is retried."""
    asking = Asking(f"http://127.0.0.1:{support.free_port()}")
    assert "check the address and that the server runs" in asking.refusal()
    assert about(asking.pauses, [1, 2, 4, 8])


def test_a_key_in_the_address_is_not_told():
    """Errors name the address without its query."""
    url = f"http://127.0.0.1:{support.free_port()}/score?subscription-key=key-1"
    with Client(url, attempts=1) as client, pytest.raises(NoAnswer) as refused:
        client.score([[1]])
    assert "/score can't be reached" in str(refused.value)
    assert "key-1" not in str(refused.value)


def test_a_failure_without_words_has_its_name():
    """httpx gives no text for a connection that takes too long."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("", request=request)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http:
            url = "http://localhost/score"
            exchange = Exchange(http, url, {}, Authorization(None), 60, 1, asyncio.sleep)
            await exchange.predictions(b"[]", None)

    with pytest.raises(NoAnswer, match="ConnectTimeout"):
        asyncio.run(ask())


def test_an_unknown_certificate_is_refused(server: HttpsServer, monkeypatch: pytest.MonkeyPatch):
    """No request is sent, and the error says how to trust another authority."""
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "SSL_CERT_FILE" in Asking(server.url, secret="key-1").refusal()
    assert server.requests == []


@pytest.mark.parametrize(
    "reply", [Reply(200, b"<html>"), Reply(302, b"", {"Location": "https://localhost/login"})]
)
def test_an_answer_of_another_server_is_reported(server: HttpsServer, reply: Reply):
    """A sign-in page, for example, is reported; the key never follows a redirect."""
    server.fail(1, reply, "POST", "/score")
    assert server.url in Asking(server.url, secret="key-1").refusal()
    assert len(server.requests) == 1
