"""Checks that the programs that ``deploy.pasted`` replaces would accept their arguments."""

from __future__ import annotations

import re
import subprocess
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from click.testing import CliRunner

from azure_cli.parser import METRICS, parse
from azureml_scoring import settings
from deploy.checkout import REPOSITORY
from deploy.pasted import Call
from kusto.envelope import MIDNIGHT, workspace
from kusto.evaluator import Evaluator
from kusto.parser import FILES, QUERIES, Query
from mlops.cli import main
from mlops.rollout import targets
from still_endpoint import ROLLING, Still

NAMES = {(QUERIES / f"{name}.kql").read_text().rstrip("\n"): name for name in FILES}
"""Queries by their text."""


class Checks:
    """Checks calls. ``folder``: the checkout of the calls; ``queries``: those of infrastructure/,
    by name."""

    def __init__(self, folder: Path, queries: dict[str, Query]) -> None:
        self._folder = folder
        self._queries = queries

    def check(self, call: Call) -> None:
        """Check one call. Raises what the program would, or AssertionError."""
        checks = {
            "az": self._az,
            "mlops": self._mlops,
            "make": self._make,
            "kubelogin": self._kubelogin,
        }
        checks[call.program](call)

    def _az(self, call: Call) -> None:
        command, options = parse(
            call.words, call.env["AZURE_DEFAULTS_GROUP"], call.env["AZURE_DEFAULTS_WORKSPACE"]
        )
        for name in ("--file", "--request-file"):
            assert name not in options or (self._folder / options[name]).is_file()
        for name in ("--traffic", "--mirror-traffic"):
            if name in options:
                _check_shares(options[name], of_all=name == "--traffic")
        for change in [*options.get("--set", []), *options.get("--remove", [])]:
            _check_property(change, as_text="--force-string" in options)
        if command == "monitor log-analytics query":
            self._check_query(options, call.env["LOG_ANALYTICS_WORKSPACE_ID"])
        if command == "monitor metrics list":
            _check_metrics(options)
        if command.startswith("monitor autoscale"):
            assert options["--autoscale-name"] == f"{call.env['ENDPOINT']}-{call.env['DEPLOYMENT']}"

    def _check_query(self, options: dict[str, Any], log_workspace: str) -> None:
        """Check that it is one of our queries, on this workspace, over a valid time, and that it
        runs."""
        assert options["--workspace"] == log_workspace
        assert re.fullmatch(r"P(\d+D)?(T\d+[HM])?", options["--timespan"])
        name = NAMES.get(options["--analytics-query"])
        assert name, "the query is none of infrastructure/queries/"
        assert self._queries[name].errors == []
        Evaluator(workspace(), MIDNIGHT).run(self._queries[name].tree)

    def _mlops(self, call: Call) -> None:
        """Run the command on an endpoint during a rollout from blue to green. A rollback must end
        at blue, unless it only plans."""
        endpoint = Still({"blue": 50, "green": 50})
        endpoint.tags = ROLLING.on({})
        connect = mock.Mock(return_value=endpoint)
        with chdir(self._folder), mock.patch.object(targets, "connector", return_value=connect):
            result = CliRunner().invoke(main, call.words, env=call.env)
        assert result.exit_code == 0, result.output
        if call.words[0] == "rollback" and "--plan" not in call.words:
            assert endpoint.traffic().live == {"blue": 100}

    def _make(self, call: Call) -> None:
        """Check the commands that make would run."""
        command = ["make", "--dry-run", *call.words]
        told = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout
        (line,) = re.findall(r"bin/mlops (.+)", told.replace("\\\n", " "))
        script = f"printf '%s\\0' {line}"
        words = subprocess.run(
            ["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        self._mlops(call._replace(words=words.stdout.split("\0")[:-1]))

    def _kubelogin(self, call: Call) -> None:
        assert call.words == ["convert-kubeconfig", "--login", "azurecli"]


def _check_shares(text: str, *, of_all: bool) -> None:
    """Check an argument such as ``blue=100 green=0``."""
    shares = dict(pair.split("=") for pair in text.split())
    assert shares.keys() <= {"blue", "green"}
    assert not of_all or sum(map(int, shares.values())) == 100


def _check_property(change: str, *, as_text: bool) -> None:
    """Check ``--set`` or ``--remove``: a deployment's file has the property; a variable is a text
    with which a server starts."""
    name, _, value = change.partition("=")
    key, _, variable = name.partition(".")
    assert key in yaml.safe_load((REPOSITORY / "endpoints" / "blue-deployment.yml").read_text())
    if variable:
        assert as_text or not re.fullmatch(r"[\d.]+|true|false|null", value), (
            f"az takes {value} for JSON"
        )
        check_environment({variable: value})


def check_environment(environ: dict[str, str]) -> None:
    """Check that a server would start with it. Raises StartupError."""
    settings.load(environ)


def _check_metrics(options: dict[str, Any]) -> None:
    """Check that the resource has these metrics, dimensions, aggregations and intervals."""
    provider, *rest = options["--resource"].partition("/providers/")[2].split("/")
    known = METRICS["/".join([provider, *rest[::2]])]
    for metric in options["--metrics"]:
        assert metric in known
        assert set(options.get("--dimension", [])) <= set(known[metric]["dimensions"])
        assert set(options["--aggregation"]) <= set(known[metric]["aggregations"])
        assert int(options["--interval"].removesuffix("m")) >= known[metric]["minutes"]
