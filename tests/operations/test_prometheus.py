"""The rules and the dashboard of kubernetes/monitoring/ in a real Prometheus that scrapes a real
server."""

import itertools
import json
import math
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import support
from blackbox.server import THREADS, needs, serving, until
from deploy.alert_names import RULES
from deploy.manifests import the_only
from places import REPOSITORY

MONITORING = REPOSITORY / "kubernetes" / "monitoring"
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text())
PANELS = {
    panel["title"]: [target["expr"] for target in panel["targets"]] for panel in DASHBOARD["panels"]
}
NAME = re.compile(r"\b(?:job:)?scoring_\w+(?::\w+)*")


def as_asked(expression: str) -> str:
    """Return a dashboard's query as Grafana sends it."""
    return expression.replace("$__rate_interval", "1m").replace("$job", ".+")


class Prometheus:
    """A Prometheus that scrapes a server every second."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", trust_env=False, verify=False)

    def get(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, expression: str) -> list[float]:
        """Return the values of a query that are numbers."""
        found = [
            float(series["value"][1]) for series in self.get("/query", query=expression)["result"]
        ]
        return [value for value in found if not math.isnan(value)]

    def ready(self) -> bool:
        """Return True once Prometheus is ready; it answers 503 without JSON while it reads its
        store."""
        try:
            answer = self._client.get("/targets")
            return answer.is_success and bool(answer.json()["data"]["activeTargets"])
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def prometheus(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped a few times after requests of several kinds."""
    needs("prometheus", "prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), support.free_port()
    env = THREADS | {
        "SCORING_CACHE": "memory",
        "SCORING_CACHE_MUST_PAY": "false",
        "WORKER_COUNT": "1",
    }
    with serving(demo_model, folder, **env) as server:
        scrape = {
            "job_name": "scoring",
            "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}],
        }
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [scrape],
        }
        groups = yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"]
        at_once = [{"name": group["name"], "rules": group["rules"]} for group in groups]
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": at_once}))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ]
        )
        running = Prometheus(f"http://127.0.0.1:{port}")
        numbers = itertools.count()

        def seen() -> bool:
            assert process.poll() is None
            for document in (
                [[*support.ROW[1:], float(next(numbers))]],
                [support.ROW] * 100,
                [support.ROW],
                [[*support.ROW[1:], 1.0]],
                [["text"]],
                {"rows": []},
            ):
                server.score(document)
            shown = ("job:scoring_cache_hits:ratio_rate5m", "job:scoring_drift_rare:score1d")
            return running.ready() and all(running.values(name) for name in shown)

        try:
            until(seen, "Prometheus has scraped and evaluated")
            yield running
        finally:
            process.terminate()
            process.wait()
            running.close()


def test_rules_ask_for_what_the_server_shows(prometheus: Prometheus):
    """Each metric's name and each label's value exists: a rule with a wrong one would never
    fire."""
    shown = set(prometheus.get("/label/__name__/values"))
    asked = {name for rule in RULES for name in NAME.findall(rule["expr"])}
    assert asked
    assert asked - shown == set()
    for label in ("outcome", "stage"):
        values = {
            v
            for rule in RULES
            for found in re.findall(rf'{label}=~?"([^"]*)"', rule["expr"])
            for v in found.split("|")
        }
        assert values - set(prometheus.get(f"/label/{label}/values")) == set()
    health = {
        rule["name"]: rule["health"]
        for group in prometheus.get("/rules")["groups"]
        for rule in group["rules"]
    }
    assert set(health.values()) == {"ok"}
    assert len(health) == len(RULES)


def test_recordings_have_values(prometheus: Prometheus):
    """Each recording rule has a value for the scraped server; those of drift have one for each
    column or bin."""
    for rule in RULES:
        if "record" in rule:
            several = "drift" in rule["record"]
            until(
                lambda name=rule["record"], several=several: (
                    (found := len(prometheus.values(f'{name}{{job="scoring"}}'))) == 1
                    or (several and found > 1)
                ),
                rule["record"],
            )


def test_the_autoscaler_gets_the_load_that_is_offered(prometheus: Prometheus):
    """KEDA's query, without the namespace that this server lacks, gives one number above 0."""
    keda = the_only("keda", "ScaledObject")
    query = keda["spec"]["triggers"][0]["metadata"]["query"].replace('namespace="ml-inference"', "")
    (replicas,) = until(lambda: prometheus.values(query), query)
    assert replicas > 0


@pytest.mark.parametrize("title", PANELS)
def test_each_panel_of_the_dashboard_has_data(prometheus: Prometheus, title: str):
    """Each panel's query is valid, and the server has the data."""
    for asked in map(as_asked, PANELS[title]):
        until(lambda asked=asked: prometheus.values(asked), asked)
