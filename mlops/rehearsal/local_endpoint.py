"""A rehearsal's endpoint as a rollout sees it: a client of the process in stage.py."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from azureml_scoring.client.headers import request_headers
from azureml_scoring.client.model_status import model_status
from mlops.endpoint import (
    EndpointAnswer,
    EndpointError,
    Source,
    State,
    Status,
    Traffic,
)
from mlops.rehearsal.deployment import DeployedModel
from mlops.rollout.own_requests import own_headers
from mlops.traffic_blocks import TrafficBlock

TIMEOUT_S = 120


class LocalEndpoint:
    """The endpoint at ``url``. ``artifacts``: the model of each deployment. ``logs``: the folder
    for the logs of those that are deployed."""

    name = "rehearsal"

    def __init__(self, url: str, artifacts: Mapping[str, DeployedModel], logs: Path) -> None:
        self._artifacts = artifacts
        self._logs = logs
        self.url = url

    def deployments(self) -> Mapping[str, State]:
        return {
            name: State(state) for name, state in self._call("GET", "/deployments").json().items()
        }

    def status(self) -> Status:
        status = self._call("GET", "/traffic").json()
        return Status(Traffic(**status["traffic"]), status["tags"])

    def update(self, change: Callable[[Status], Status]) -> None:
        self._call("PUT", "/traffic", asdict(change(self.status())))

    def traffic(self) -> Traffic:
        return self.status().traffic

    def source(self, deployment: str) -> Source:
        artifact = self._artifacts.get(deployment)
        return Source(model=artifact.folder.name) if artifact else Source()

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        artifact = self._artifacts[deployment]
        what = {
            "folder": str(artifact.folder),
            "environment": dict(artifact.environment),
            "log": str(self._logs / f"{deployment}.log"),
        }
        self._call("PUT", f"/deployments/{deployment}", what)

    def delete(self, deployment: str) -> None:
        self._call("DELETE", f"/deployments/{deployment}")

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        """Do nothing: a rehearsed deployment has one instance."""

    def remove_autoscale(self, deployment: str) -> None:
        pass

    def logs(self, deployment: str) -> str:
        return self._call("GET", f"/deployments/{deployment}/logs").text

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        began = time.perf_counter()
        headers = request_headers(None, deployment) | own_headers()
        answer = self._send("POST", "/score", content=body, headers=headers)
        status = model_status(answer.status_code, answer.headers)
        return EndpointAnswer(status, answer.content, (time.perf_counter() - began) * 1000)

    def blocks(self, since: float) -> Sequence[TrafficBlock]:
        return [
            TrafficBlock(**{**block, "latencies": tuple(map(tuple, block["latencies"]))})
            for block in self._call("GET", f"/blocks?since={since}").json()
        ]

    def _call(self, method: str, path: str, what: Any = None) -> httpx.Response:
        """Send a request that must succeed. Raises EndpointError."""
        response = self._send(method, path, json=what)
        if response.status_code >= 400:
            raise EndpointError(response.text)
        return response

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        try:
            # It has no TLS, whose set-up for each request would be slow.
            return httpx.request(
                method,
                self.url + path,
                timeout=TIMEOUT_S,
                trust_env=False,
                verify=False,  # noqa: S501
                **what,
            )
        except httpx.HTTPError as error:
            raise EndpointError(
                f"The rehearsal's endpoint can't be reached ({type(error).__name__})."
            ) from None


@contextmanager
def stage() -> Iterator[str]:
    """Run an endpoint without deployments, and yield its URL. Raises EndpointError."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops.rehearsal.stage"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        port = process.stdout.readline() if process.stdout else ""
        if not port:
            raise EndpointError(
                "The rehearsal's endpoint did not start; correct what it says above."
            )
        yield f"http://127.0.0.1:{int(port)}"
    finally:
        process.communicate()
