"""A rehearsal's endpoint treats clients as Azure's managed online endpoint does, and leaves no
process running."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from scripted import FAIL

import support
from azureml_scoring.client.headers import DEPLOYMENT_HEADER
from azureml_scoring.client.model_status import REASON_HEADER, STATUS_HEADER
from blackbox.server import HTTP, PATIENCE, until
from mlops.endpoint import EndpointError, State, Traffic, direct
from mlops.rehearsal.clients import clients
from mlops.rehearsal.deployment import DeployedModel
from mlops.rehearsal.local_endpoint import LocalEndpoint, stage
from processes import runs

OLD, NEW = "blue", "green"


@dataclass(frozen=True)
class Rehearsed:
    """A rehearsal's endpoint. Blue doubles each value at once; green sleeps so many seconds, or
    fails."""

    endpoint: LocalEndpoint
    process: psutil.Process

    def ask(self, value: float, deployment: str | None = None) -> httpx.Response:
        headers = {DEPLOYMENT_HEADER: deployment} if deployment else {}
        return HTTP.post(
            f"{self.endpoint.url}/score",
            json={"data": [[value]]},
            headers=headers,
            timeout=PATIENCE,
        )

    def seen(self, deployment: str) -> Counter[str]:
        """Count a deployment's requests by how they ended."""
        counts = Counter[str]()
        for block in self.endpoint.blocks(0):
            if block.deployment == deployment:
                answered = sum(requests for _, requests in block.latencies)
                counts.update(answered=answered, failed=block.failed, refused=block.refused)
        return +counts

    def processes(self, deployment: str) -> list[psutil.Process]:
        """Return a deployment's processes, its container first."""
        below = self.process.children(recursive=True)
        return [each for each in below if each.environ().get("DEPLOYMENT_NAME") == deployment]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    folder = tmp_path_factory.mktemp("splitter")
    environment = {"PYTHONPATH": str(support.MODELS), "SCORING_LATENCY_OBJECTIVE_MS": "20000"}
    kinds = {OLD: "Steady", NEW: "Scripted"}
    artifacts = {
        name: DeployedModel(support.scripted(folder / name, kind), environment)
        for name, kind in kinds.items()
    } | {"broken": DeployedModel(folder / "nowhere")}
    with stage() as url:
        (process,) = [
            each for each in psutil.Process().children() if runs(each, "mlops.rehearsal.stage")
        ]
        yield Rehearsed(LocalEndpoint(url, artifacts, folder), process)


@pytest.fixture
def rehearsed(running: Rehearsed) -> Rehearsed:
    """An endpoint with both deployments; blue has the traffic."""
    for name in (OLD, NEW):
        if name not in running.endpoint.deployments():
            running.endpoint.deploy(name)
    direct(running.endpoint, Traffic({OLD: 100}))
    return running


def test_traffic_is_shared_exactly_and_answers_tell_by_whom(rehearsed: Rehearsed):
    """Each deployment gets its percentage of a hundred requests."""
    direct(rehearsed.endpoint, Traffic({OLD: 70, NEW: 30}))
    answers = [rehearsed.ask(0.0) for _ in range(100)]
    assert Counter(answer.headers[DEPLOYMENT_HEADER] for answer in answers) == {OLD: 70, NEW: 30}
    assert len({answer.headers["x-request-id"] for answer in answers}) == 100


def test_a_mirror_that_hangs_delays_no_client(rehearsed: Rehearsed):
    """The mirror gets a copy of its share, and its answers are dropped."""
    direct(rehearsed.endpoint, Traffic({OLD: 100}, {NEW: 50}))
    before = rehearsed.seen(NEW)
    answers = [rehearsed.ask(3.0) for _ in range(4)]
    assert rehearsed.seen(NEW) == before
    assert [answer.json()["predictions"] for answer in answers] == [[6.0]] * 4
    two = Counter(answered=2)
    until(lambda: rehearsed.seen(NEW) - before >= two, "the copies were answered")
    assert rehearsed.seen(NEW) - before == two


def test_a_mirror_that_fails_is_noticed_by_no_client(rehearsed: Rehearsed):
    """Only the observations show the failure."""
    direct(rehearsed.endpoint, Traffic({OLD: 100}, {NEW: 50}))
    before = rehearsed.seen(NEW)
    assert [rehearsed.ask(FAIL).status_code for _ in range(4)] == [200] * 4
    until(lambda: rehearsed.seen(NEW) - before == Counter(failed=2), "the copies failed")


@pytest.mark.parametrize(("value", "status"), [(FAIL, 500), ("text", 422)])
def test_what_is_not_200_becomes_424(rehearsed: Rehearsed, value: float, status: int):
    """The model's own status and body stay readable."""
    answer = rehearsed.ask(value, NEW)
    assert (answer.status_code, answer.headers[STATUS_HEADER]) == (424, str(status))
    assert answer.headers[REASON_HEADER]
    assert answer.json()["status"] == status
    assert rehearsed.endpoint.score(answer.request.content, NEW).status == status


def test_a_header_names_the_deployment(rehearsed: Rehearsed):
    """The header works without traffic too; such requests are not mirrored, and an unknown name is
    404."""
    direct(rehearsed.endpoint, Traffic({OLD: 100}, {NEW: 50}))
    before = rehearsed.seen(NEW)
    assert [rehearsed.ask(0.0, OLD).headers[DEPLOYMENT_HEADER] for _ in range(4)] == [OLD] * 4
    assert rehearsed.seen(NEW) == before
    assert rehearsed.ask(0.0, NEW).headers[DEPLOYMENT_HEADER] == NEW
    assert rehearsed.ask(0.0, "yellow").status_code == 404


def test_without_traffic_there_is_nobody_to_ask(rehearsed: Rehearsed):
    """The endpoint answers 404, as Azure's does."""
    direct(rehearsed.endpoint, Traffic({}))
    assert rehearsed.ask(0.0).status_code == 404


def test_a_request_that_takes_too_long_is_408(rehearsed: Rehearsed):
    """Other requests are answered meanwhile, and the observations have no status of this one."""
    before = rehearsed.seen(NEW)
    assert rehearsed.ask(8.0, NEW).status_code == 408
    assert rehearsed.seen(NEW) - before == Counter(failed=1)
    assert rehearsed.ask(1.0).status_code == 200


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic({OLD: 90}),
        Traffic({OLD: 100, "yellow": 0}, {"yellow": 10}),
        Traffic({OLD: 50, NEW: 50}, {NEW: 10}),
        Traffic({OLD: 100}, {NEW: 51}),
    ],
)
def test_traffic_that_azure_refuses_is_refused(rehearsed: Rehearsed, traffic: Traffic):
    """The traffic stays as it was; a deployment with traffic can't be deleted."""
    with pytest.raises(EndpointError):
        direct(rehearsed.endpoint, traffic)
    with pytest.raises(EndpointError, match="has traffic"):
        rehearsed.endpoint.delete(OLD)
    assert rehearsed.endpoint.traffic() == Traffic({OLD: 100})


def test_one_that_can_not_start_has_failed_and_says_why(rehearsed: Rehearsed):
    """The failure has the last lines of its log."""
    rehearsed.endpoint.deploy("broken")
    assert rehearsed.endpoint.deployments()["broken"] is State.FAILED
    assert "nowhere" in rehearsed.endpoint.logs("broken")
    assert rehearsed.processes("broken") == []
    rehearsed.endpoint.delete("broken")


def test_changing_shares_loses_no_request(rehearsed: Rehearsed):
    """No request is lost under load, however often the shares change."""
    with clients(rehearsed.endpoint.url, [[0.0]], rate=100) as load:
        for share in [10, 50, 0, 100, 30, 70] * 10:
            direct(rehearsed.endpoint, Traffic({OLD: 100 - share, NEW: share}))
            answered = len(load.requests)
            until(lambda answered=answered: len(load.requests) >= answered + 5, "clients go on")
    assert {each.status for each in load.requests} == {200}
    assert {each.deployment for each in load.requests} == {OLD, NEW}


def test_deleting_one_that_is_still_answering_loses_no_request(rehearsed: Rehearsed):
    """A deployment answers its requests first; then no process of it is left."""
    direct(rehearsed.endpoint, Traffic({OLD: 0, NEW: 100}))
    processes = rehearsed.processes(NEW)
    with clients(rehearsed.endpoint.url, [[0.5]], rate=4) as load:
        until(lambda: len(load.requests) >= 4, "some were answered, others are in flight")
        direct(rehearsed.endpoint, Traffic({OLD: 100}))
        rehearsed.endpoint.delete(NEW)
    assert {each.status for each in load.requests} == {200}
    until(lambda: not any(each.is_running() for each in processes), "nothing of it is left")
    assert rehearsed.ask(0.0, NEW).status_code == 404


def test_updating_one_in_service_loses_no_request(rehearsed: Rehearsed):
    """The old version answers until the new one is ready."""
    with clients(rehearsed.endpoint.url, [[1.0]], rate=20) as load:
        rehearsed.endpoint.deploy(OLD)
    assert {each.status for each in load.requests} == {200}


@pytest.mark.parametrize("which", [0, 1, 2], ids=["container", "server", "worker"])
def test_a_dead_one_costs_its_share_only(rehearsed: Rehearsed, which: int):
    """Its clients get 502. If only a worker dies it is replaced; requests that it had, or that
    waited too long, fail."""
    direct(rehearsed.endpoint, Traffic({OLD: 50, NEW: 50}))
    processes = rehearsed.processes(NEW)
    with clients(rehearsed.endpoint.url, [[0.0]], rate=50) as load:
        until(lambda: len(load.requests) >= 20, "clients are answered")
        processes[which].kill()
        answered = len(load.requests)
        until(lambda: len(load.requests) >= answered + 60, "clients go on")
    failed = [each for each in load.requests if each.status != 200]
    assert {each.deployment for each in failed} <= {NEW}
    assert {each.status for each in failed} <= ({408, 429, 502, 503, 504} if which == 2 else {502})
    assert len(failed) <= len(load.requests) / 2
    direct(rehearsed.endpoint, Traffic({OLD: 100}))
    rehearsed.endpoint.delete(NEW)
    until(lambda: not any(each.is_running() for each in processes), "nothing of it is left")


def test_nothing_is_left_of_a_stage_that_is_killed(tmp_path: Path):
    """Its deployments do not stay either."""
    artifacts = {
        OLD: DeployedModel(
            support.scripted(tmp_path / "model", "Steady"), {"PYTHONPATH": str(support.MODELS)}
        )
    }
    with stage() as url:
        endpoint = LocalEndpoint(url, artifacts, tmp_path)
        endpoint.deploy(OLD)
        process = max(psutil.Process().children(), key=lambda each: each.create_time())
        below = process.children(recursive=True)
        assert len(below) == 3
        process.kill()
        until(lambda: not any(each.is_running() for each in below), "all have ended")
        with pytest.raises(EndpointError, match="can't be reached"):
            endpoint.deployments()
