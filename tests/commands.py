"""Calls any command of ``mlops`` with one of its values changed, and holds what it says to what is
promised."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from click.testing import CliRunner, Result

from mlops.cli import main
from mlops.exit_status import ExitStatus
from still_endpoint import WORKSPACE

COMMANDS: dict[str, dict[str, str]] = {
    "artifact": {"model": "raw/model.joblib", "sample": "rows.csv", "out": "out"},
    "announce": {"server": str(os.getppid()), "port": "PORT"},
    "batch": {"model": "artifact", "inputs": "rows.csv", "out": "out", "processes": "1"},
    "bom": {"artifact": "artifact"},
    "check": {"paths": "green.yml"},
    "compare": {
        "endpoint_name": "diabetes",
        "old": "blue",
        "new": "green",
        "sample": "rows.csv",
        "model_dir": "raw",
    },
    "demo": {"out": "out"},
    "drift": {"artifact": "artifact", "files": "rows.csv"},
    "environment": {"artifact": "artifact", "out": "out"},
    "example": {"model_dir": "raw"},
    "help": {"command": "score"},
    "load": {"url": "URL", "model_dir": "artifact", "out": "out"},
    "local-redis": {"parent": "1"},
    "names": {},
    "package": {"model": "raw/model.joblib", "sample": "rows.csv", "out": "out"},
    "quality": {"predictions": "predictions.csv", "truth": "truth.csv"},
    "rehearse": {"out": "out"},
    "rollback": {"endpoint_name": "diabetes", "to": "blue", "out": "out"},
    "rollout": {
        "deployment_file": "green.yml",
        "artifact": "artifact",
        "sample": "rows.csv",
        "only_plan": "",
    },
    "score": {"file": "rows.csv", "url": "URL"},
    "serve": {"model_dir": "artifact"},
    "show": {"artifact": "artifact"},
    "sign": {"artifact": "artifact", "key": "key.pem"},
    "simulate": {"manifests": "hpa.yml", "load": "load.csv", "out": "out"},
    "slo": {"out": "out", "page": "page.md"},
    "types": {"model_dir": "artifact"},
    "verify": {"artifact": "artifact", "key": "public.pem"},
}
"""What each command is given where nothing is wrong; a file or folder stands for the one of that
name in ``good``."""


def walk(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command there is, hidden ones too."""
    context = click.Context(group)
    for name in {*group.list_commands(context), *group.commands}:
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from walk(found, f"{before}{name} ")
        else:
            yield f"{before}{name}", found


FOUND = dict(walk(main))


def call(
    name: str, good: Path, changed: Mapping[str, str | Path], url: str = "", port: int = 1
) -> Result:
    """The command with its usual values, those in ``changed`` in place of some."""
    values = {"URL": url or "http://127.0.0.1:1", "PORT": str(port)}
    given = {key: values.get(value, value) for key, value in COMMANDS[name].items()}
    given = {
        key: str(good / value) if (good / value).exists() and value else value
        for key, value in given.items()
    }
    given |= {key: str(value) for key, value in changed.items()}
    words = name.split()
    for parameter in FOUND[name].params:
        if parameter.name in given:
            value = given[parameter.name]
            words += [] if isinstance(parameter, click.Argument) else [parameter.opts[0]]
            words += [value] if value else []
    return CliRunner().invoke(
        main, words, env=WORKSPACE | {"AZUREML_MODEL_DIR": given.get("AZUREML_MODEL_DIR")}
    )


def check(result: Result, expected: bool = False) -> None:
    """It ended well, or with one sentence and no traceback; ``expected``: the sentence is one of
    ours."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    assert result.exit_code in list(ExitStatus)
    if result.exit_code:
        last = result.output.splitlines()[-1]
        assert last == "Aborted!" or (last.startswith("Error: ") and last[-1] in ".)"), (
            result.output
        )
        assert last.isprintable()
        if expected:
            assert "unexpectedly" not in last
