"""The policies of `infrastructure/policies/` by what a caller, and the endpoint behind the gateway, see of them."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import errors
from apim.check import problems
from apim.counters import BEGINNING
from apim.csharp import compiled
from apim.dotnet import STATIC, Thrown, Unsupported
from apim.gateway import POLICIES, Gateway, document
from apim.loading import CircuitOpen, Loader, Services
from apim.messages import Context, Failure, Headers, Request, Response, Subscription
from apim.policies import FACTORIES
from apim.rules import SKUS, not_in_tier
from http_request import REQUEST_ID
from mlops.deployment import GATEWAY_TIMEOUT_MS
from service import failure

DOCS = POLICIES.parents[1] / "docs" / "api-management.md"
ORIGIN = "https://app.example.com"
KEY = {"Ocp-Apim-Subscription-Key": "key-a"}
START = datetime(2026, 11, 2, 10, tzinfo=UTC)
GUID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
ANSWER = b'{"predictions": [1.0], "metadata": {"request_id": "1"}}'
OUR_REFUSAL = b'{"error": "Feature age must be a number.", "code": "wrong_type", "metadata": {"request_id": "1"}}'
FILES = sorted(path.relative_to(POLICIES).as_posix() for path in POLICIES.rglob("*.xml"))
PRODUCTS = ["product.xml", "product-v2.xml"]
LIMIT = 5 * 1024 * 1024
NOT_READY = failure(errors.NotReady("Later."), request_id="1", trace="", model_version=None, timestamp="")
SERVERS = json.loads(NOT_READY.body)


class World:
    """A gateway, its callers' clock, and a scoring endpoint that answers as it is told."""

    def __init__(self, product: str = "product.xml") -> None:
        self.now = START
        self.seen: list[Request] = []
        self.answer = Response(200, Headers({"Content-Type": "application/json", "x-request-id": "azure"}), ANSWER)
        self.raises: Exception | None = None
        self.takes = 0.1
        services = Services(lambda: self.now, {"scoring": self._endpoint}, lambda resource: f"token for {resource}")
        subscriptions = {
            "key-a": Subscription("a", START - timedelta(days=10)),
            "key-b": Subscription("b", START - timedelta(days=10)),
        }
        self.gateway = Gateway(product, services, subscriptions, [ORIGIN, "https://other.example.com:8443"])

    def _endpoint(self, request: Request, timeout: float) -> Response:
        self.seen.append(request)
        if self.takes > timeout:
            raise TimeoutError
        if self.raises:
            raise self.raises
        return Response(self.answer.status, Headers(dict(self.answer.headers.items())), self.answer.body)

    def call(self, *, ip: str = "203.0.113.7", length: int | str | None = 20, **headers: str) -> Response:
        """A POST to /score with a key, unless ``headers`` say otherwise; underscores in their names are dashes."""
        given = KEY | {name.replace("_", "-"): value for name, value in headers.items()}
        if length is not None:
            given["Content-Length"] = str(length)
        return self.gateway.handle(Request(headers=Headers(given), ip=ip), GUID)

    def fails(self, status: int, body: bytes | None = None, **headers: str) -> None:
        """From now on the endpoint answers so; without ``body`` with a page that is not ours."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = Response(status, Headers(given), b"<html>busy</html>" if body is None else body)


SHARED = World()


@pytest.fixture
def world() -> World:
    return World()


def refusal(response: Response, status: int, code: str) -> dict[str, object]:
    """The body, once it is proven to be of the scoring server's format throughout."""
    assert response.status == status
    assert response.headers["Content-Type"] == "application/json"
    body = json.loads(response.body or b"")
    assert list(body) == list(SERVERS)
    assert list(body["metadata"]) == list(SERVERS["metadata"])
    assert (body["status"], body["code"], body["location"]) == (status, code, None)
    assert re.fullmatch(r"[A-Z][^\n]*\.", body["error"])
    assert re.fullmatch("[0-9a-f]{32}", body["trace"])
    assert re.fullmatch(MOMENT, body["metadata"]["timestamp"])
    assert body["metadata"]["request_id"] == response.headers["x-correlation-id"] == response.headers["x-request-id"]
    assert re.fullmatch(MOMENT, response.headers["x-request-timestamp"])
    assert response.headers["x-response-timestamp"] == body["metadata"]["timestamp"]
    return body


# What API Management takes.


@pytest.mark.parametrize("name", FILES)
def test_schema(name: str) -> None:
    """Each policy is XML that Microsoft's schemas allow, and each expression is C#."""
    assert problems(document(name, [ORIGIN])) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("<policies><inbound><rate-limit-by-key calls='many'/></inbound></policies>", "many"),
        ("<policies><inbound><choose><when condition='@(1 +)'/></choose></inbound></policies>", "not C#"),
        ("<fragment><set-footer name='x'/></fragment>", "no such policy"),
    ],
)
def test_schema_check_bites(bad: str, said: str) -> None:
    """The check refuses a wrong attribute, a wrong expression and an unknown policy."""
    assert said in "\n".join(problems(ET.fromstring(bad)))


def test_tiers() -> None:
    """Every tier but Consumption takes the API's policy, and the product's that is meant for it."""
    for sku, tier in SKUS.items():
        api, by_key, by_product = (
            not_in_tier(document(name, [ORIGIN]), f"{sku}_1") for name in ("api.xml", "product.xml", "product-v2.xml")
        )
        assert api == (["rate-limit-by-key"] if tier == "consumption" else [])
        assert by_key == ([] if tier == "classic" else ["quota-by-key"])
        assert by_product == []


def test_template() -> None:
    """Terraform's `templatefile` has one value to fill in, and takes no C# for a template of its own."""
    assert re.findall(r"[$%]\{[^}]*\}?", (POLICIES / "api.xml").read_text()) == ["${allowed_origins}"]


def test_cors_is_first() -> None:
    """A preflight, which carries no key, is answered before anything may refuse it."""
    inbound = document("api.xml", [ORIGIN]).find("inbound")
    assert inbound is not None
    assert inbound[0].tag == "cors"


@pytest.mark.parametrize(
    "policy",
    [
        "<validate-content unspecified-content-type-action='prevent' max-size='1' size-exceeded-action='prevent'/>",
        "<set-header name='x' expression='@(1)'/>",
        "<rate-limit-by-key calls='1' renewal-period='301' counter-key='x'/>",
        "<quota calls='1' renewal-period='300'/>",
        "<forward-request timeout='1'/>",
        "<cors allow-credentials='false' terminate-unmatched-request='false'>"
        "<allowed-origins><origin>{{origin}}</origin></allowed-origins></cors>",
        "<set-variable name='x' value='{{named}}'/>",
        "<set-variable name='x' value='@{ return 1; }'/>",
        "<set-variable name='x' value='@(context.Request.Certificate)'/>",
        "<set-variable name='x' value='@(Math.Abs(1))'/>",
        "<set-variable name='x' value='@(1 + 1)'/>",
    ],
)
def test_unknown_is_refused(policy: str) -> None:
    """The tests' gateway runs nothing that it does not know: a policy, an attribute, a place, a value, C#."""
    loader = Loader(Services(lambda: START, {}, str), FACTORIES, {})
    text = f"<policies><inbound>{policy}</inbound></policies>"

    def load_and_run() -> None:
        for step in loader.section(ET.fromstring(text), "inbound", "api", []):
            step(Context(Request(), GUID, START))

    with pytest.raises(Unsupported):
        load_and_run()


@pytest.mark.parametrize(
    "text", ['@((int)"1")', '@(int.Parse("x"))', '@("a".Substring(0, 2))', "@(context.Response.StatusCode)"]
)
def test_csharp_throws(text: str) -> None:
    """An expression that throws in .NET throws here."""
    with pytest.raises(Thrown):
        compiled(text)({"context": Context(Request(), GUID, START), **STATIC})


# What a request meets on its way in.


def test_success(world: World) -> None:
    """The model's answer comes back as it is, with the correlation id and both times."""
    response = world.call()
    assert (response.status, response.body) == (200, ANSWER)
    assert response.headers["x-correlation-id"] == str(GUID)
    assert response.headers["x-request-id"] == "azure"  # what the body's metadata says
    assert response.headers["x-request-timestamp"] == "2026-11-02T10:00:00.000Z"
    assert re.fullmatch(MOMENT, response.headers["x-response-timestamp"])


def test_endpoint_is_given(world: World) -> None:
    """The endpoint gets the correlation id under all its names, the time, and the gateway's token; neither the caller's
    token, nor their key, nor a choice of deployment."""
    world.call(Authorization="Bearer callers", azureml_model_deployment="green", Content_Type="application/json")
    headers = dict(world.seen[0].headers.items())
    assert headers == {
        "authorization": "Bearer token for https://ml.azure.com",
        "content-length": "20",
        "content-type": "application/json",
        "x-correlation-id": str(GUID),
        "x-ms-client-request-id": str(GUID),
        "x-request-id": str(GUID),
        "x-request-timestamp": "2026-11-02T10:00:00.000Z",
    }


def test_key_in_query(world: World) -> None:
    """A key in the query is as good, and does not get further than the gateway."""
    headers = Headers({"Content-Length": "20"})
    request = Request(headers=headers, query={"subscription-key": "key-a", "other": "1"})
    assert world.gateway.handle(request).status == 200
    assert world.seen[0].query == {"other": "1"}


@pytest.mark.parametrize("name", ["x-correlation-id", "x-request-id", "x-ms-client-request-id"])
@pytest.mark.parametrize("sent", ["order-17", "a" * 100, "A.z_0:~/+=@-"])
def test_correlation_id_is_kept(world: World, name: str, sent: str) -> None:
    """A caller's id is passed on and echoed, whichever of the three headers it comes in."""
    assert world.call(**{name: sent}).headers["x-correlation-id"] == sent
    assert world.seen[0].headers["x-request-id"] == sent


@given(sent=st.text(st.characters(codec="latin-1", exclude_categories=("Cc",)), max_size=102))
def test_correlation_id_is_checked(sent: str) -> None:
    """Any other id is replaced, by exactly the rule of the scoring server."""
    expected = sent if REQUEST_ID.fullmatch(sent) else str(GUID)
    assert SHARED.call(x_correlation_id=sent).headers["x-correlation-id"] == expected


def test_next_correlation_id_is_taken(world: World) -> None:
    """Where the first header does not hold an id, the next one that does counts."""
    response = world.call(x_correlation_id="no id", x_ms_client_request_id="order-17")
    assert response.headers["x-correlation-id"] == "order-17"


def test_id_and_trace_of_a_refusal(world: World) -> None:
    """A refusal names the caller's id and trace; without a trace, the id that the gateway's own log has."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    response = world.call(length=None, x_request_id="order-17", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    body = refusal(response, 411, "length_required")
    assert (body["trace"], response.headers["x-correlation-id"]) == (trace, "order-17")
    for unusable in ("", f"ff-{trace}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"):
        assert refusal(world.call(length=None, traceparent=unusable), 411, "length_required")["trace"] == GUID.hex


def test_no_key(world: World) -> None:
    """Without a subscription key, or with a wrong one, 401 in our format; the endpoint hears nothing."""
    none = Request(headers=Headers({"Content-Length": "20", "x-request-id": "order-17"}))
    assert refusal(world.gateway.handle(none), 401, "subscription_key_missing")["metadata"]["request_id"] == "order-17"
    refusal(world.call(Ocp_Apim_Subscription_Key="stolen"), 401, "subscription_key_invalid")
    assert world.seen == []


# Limits.


@pytest.mark.parametrize(
    ("length", "status", "code"),
    [
        (0, 200, ""),
        (LIMIT, 200, ""),
        (LIMIT + 1, 413, "payload_too_large"),
        (99_999_999_999, 413, "payload_too_large"),
        ("-1", 413, "payload_too_large"),
        ("5e6", 413, "payload_too_large"),
        (None, 411, "length_required"),
    ],
)
def test_size(world: World, length: int | str | None, status: int, code: str) -> None:
    """5 MiB exactly pass, one byte more does not, nor what says no size: a chunked body could be of any."""
    response = world.call(length=length)
    if code:
        refusal(response, status, code)
    assert (response.status, len(world.seen)) == (status, int(status == 200))


def test_same_code_as_the_server() -> None:
    """A program that knows the scoring server's 413 knows the gateway's."""
    assert errors.PayloadTooLarge.code == "payload_too_large"


def test_rate(world: World) -> None:
    """100 calls in a minute by address pass, the 101st is told when to come back; another address is not concerned."""
    for call in range(100):
        response = world.call()
        assert response.status == 200
        assert response.headers["x-ratelimit-remaining"] == str(99 - call)
        assert response.headers["x-ratelimit-limit"] == "100"
        world.now += timedelta(seconds=0.1)
    refused = world.call()
    refusal(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "50"
    assert world.call(ip="203.0.113.8").status == 200
    assert len(world.seen) == 101


def test_rate_is_a_sliding_window(world: World) -> None:
    """As each of the 100 becomes a minute old, one more passes."""
    statuses = []
    for _ in range(100):
        world.call()
        world.now += timedelta(milliseconds=100)
    for _ in range(3):
        world.now = max(world.now, START + timedelta(seconds=60))
        statuses += [world.call().status, world.call().status]
        world.now += timedelta(milliseconds=100)
    assert statuses == [200, 429] * 3


def test_refused_calls_do_not_prolong(world: World) -> None:
    """Whoever waits as Retry-After says is served, however often they asked before."""
    responses = [world.call() for _ in range(150)]
    assert [response.status for response in responses] == [200] * 100 + [429] * 50
    world.now += timedelta(seconds=int(responses[-1].headers["Retry-After"]))
    assert world.call().status == 200


@pytest.mark.parametrize("product", PRODUCTS)
def test_quota(product: str) -> None:
    """The 1,000,001st call of a subscription in 30 days gets 403 and when to come back; another subscription is served,
    and so is this one in the next period. In all tiers alike."""
    world = World(product)
    assert world.call().status == 200
    (quota,) = world.gateway.loader.quotas
    assert quota.spend("a", 999_998, start=BEGINNING if product == "product.xml" else START - timedelta(days=10))
    assert world.call().status == 200
    refused = world.call()
    refusal(refused, 403, "quota_exceeded")
    assert world.call(Ocp_Apim_Subscription_Key="key-b").status == 200
    world.now += timedelta(seconds=int(refused.headers["Retry-After"]) - 1)
    refusal(world.call(), 403, "quota_exceeded")
    world.now += timedelta(seconds=1)
    assert world.call().status == 200


@pytest.mark.parametrize(
    ("product", "start"), [("product.xml", BEGINNING), ("product-v2.xml", START - timedelta(days=10))]
)
def test_month(product: str, start: datetime) -> None:
    """A month is 30 days: by product from the subscription's start on, ten of which have passed here, by key from a
    fixed date."""
    world = World(product)
    (quota,) = world.gateway.loader.quotas
    assert quota.spend("a", 1_000_000, start=start)
    month = timedelta(days=30)
    assert int(world.call().headers["Retry-After"]) == (month - (START - start) % month).total_seconds()


def test_refused_calls_cost_no_quota(world: World) -> None:
    """What is too large, too much or without a length does not count towards the month."""
    (quota,) = world.gateway.loader.quotas
    assert world.call(length=None).status == 411
    assert world.call(length=LIMIT + 1).status == 413
    assert [world.call().status for _ in range(120)].count(200) == 98  # these two do count towards the minute
    assert quota.spend("a", 1_000_000 - 98)
    assert not quota.spend("a", 1)


# Browsers.

SENT_BY_PAGES = {
    "content-type",
    "content-encoding",
    "ocp-apim-subscription-key",
    "x-correlation-id",
    "x-request-id",
    "x-ms-client-request-id",
    "traceparent",
}
READ_BY_PAGES = {
    "retry-after",
    "x-correlation-id",
    "x-request-id",
    "x-request-timestamp",
    "x-response-timestamp",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
}


def preflight(world: World, origin: str, method: str = "POST", headers: str = "content-type") -> Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return world.gateway.handle(Request("OPTIONS", headers=Headers(asked)))


def test_preflight(world: World) -> None:
    """A browser on an allowed origin may POST with a key and an id; no key is needed to ask."""
    response = preflight(world, ORIGIN, headers="Content-Type, Ocp-Apim-Subscription-Key, X-Correlation-Id")
    assert (response.status, response.body) == (200, None)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    assert set(response.headers["Access-Control-Allow-Headers"].split(",")) == SENT_BY_PAGES
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert world.seen == []


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://evil.example.com", "POST", "content-type"),
        ("http://app.example.com", "POST", "content-type"),
        ("https://app.example.com:444", "POST", "content-type"),
        ("null", "POST", "content-type"),
        (ORIGIN, "DELETE", "content-type"),
        (ORIGIN, "POST", "azureml-model-deployment"),
        (ORIGIN, "POST", "authorization"),
    ],
)
def test_preflight_refused(world: World, origin: str, method: str, headers: str) -> None:
    """Any other origin, method or header gets no permission, by which the browser does not send the request."""
    assert dict(preflight(world, origin, method, headers).headers.items()) == {}


def test_cors_of_real_requests(world: World) -> None:
    """A page of an allowed origin may read answers and refusals, ids and limits included; another page neither."""
    for response in (world.call(Origin=ORIGIN), world.call(Origin=ORIGIN, length=None)):
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert set(response.headers["Access-Control-Expose-Headers"].split(",")) == READ_BY_PAGES
    assert "Access-Control-Allow-Origin" not in world.call(Origin="https://evil.example.com").headers


# What the endpoint does.


def test_backend_slow(world: World) -> None:
    """The endpoint is given 30 seconds, as `mlops check` assumes; then it is 504 in our format."""
    world.takes = GATEWAY_TIMEOUT_MS / 1000
    assert world.call().status == 200
    world.takes += 0.1
    refusal(world.call(), 504, "backend_timeout")


@pytest.mark.parametrize(
    ("raised", "status", "code", "retry"),
    [(ConnectionError(), 502, "backend_unreachable", None), (CircuitOpen(), 503, "backend_unavailable", "10")],
)
def test_backend_gone(world: World, raised: Exception, status: int, code: str, retry: str | None) -> None:
    """An endpoint that can't be reached is 502, one that the circuit breaker spares 503 with Retry-After."""
    world.raises = raised
    response = world.call()
    refusal(response, status, code)
    assert response.headers.get("Retry-After") == (retry or "")


@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_our_refusals_pass(world: World, status: int) -> None:
    """What the scoring server itself refuses, on AKS, comes back as it was written."""
    world.fails(status, OUR_REFUSAL, Retry_After="3")
    response = world.call(x_request_id="order-17")
    assert (response.status, response.body, response.headers["Retry-After"]) == (status, OUR_REFUSAL, "3")
    assert response.headers["x-correlation-id"] == "order-17"


@pytest.mark.parametrize("real", [400, 413, 422, 500, 503, 504])
def test_424_is_translated(world: World, real: int) -> None:
    """A managed endpoint's 424 becomes the status that the scoring server gave, with its body."""
    world.fails(424, OUR_REFUSAL, ms_azureml_model_error_statuscode=str(real), ms_azureml_model_error_reason="Why")
    response = world.call()
    assert (response.status, response.reason, response.body) == (real, "Why", OUR_REFUSAL)
    assert response.headers.get("Retry-After") == ("10" if real == 503 else "")


@pytest.mark.parametrize("header", ["", "200", "99", "4xx", "42200", "422,500"])
def test_424_without_a_status(world: World, header: str) -> None:
    """Where the endpoint does not say what it was, 424 stays."""
    world.fails(424, OUR_REFUSAL, ms_azureml_model_error_statuscode=header)
    response = world.call()
    assert (response.status, response.body) == (424, OUR_REFUSAL)


@pytest.mark.parametrize("status", [400, 408, 424, 429, 500, 503])
def test_platform_errors_are_put_in_our_format(world: World, status: int) -> None:
    """What Azure ML refuses before the model's server is asked keeps its status and gets our format."""
    world.fails(status)
    response = world.call()
    refusal(response, status, "backend_error")
    assert response.headers.get("Retry-After") == ("10" if status in (429, 503) else "")
    world.fails(status, b"")
    refusal(world.call(), status, "backend_error")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_of_the_endpoint_is_kept(world: World, status: int) -> None:
    """When to come back is the endpoint's to say, in its own words or in ours; if it does not, it is 10 seconds."""
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
    """A mistake in a policy is 500 in our format, and no page of API Management's."""
    world.raises = Failure("set-header", "ExpressionValueEvaluationFailure", 500)
    refusal(world.call(), 500, "gateway_error")


# Documentation.


def test_docs_list_every_code() -> None:
    """Each code that the gateway can answer with is in the docs' table, and none that it can't."""
    used = {
        element.attrib["value"]
        for name in FILES
        for element in document(name, [ORIGIN]).iter("set-variable")
        if element.attrib["name"] == "error-code"
    }
    listed = set(re.findall(r"^\|.*\| \d{3}[^|]*`([a-z_]+)`", DOCS.read_text(), re.MULTILINE))
    assert listed == used
