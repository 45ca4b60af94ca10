"""Options that `mlops rollout`, `mlops rollback` and `mlops compare` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mlops.rollout import targets

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MODEL_DIR = click.Path(path_type=Path, exists=True)
OUT = Path("build/rollout")

WORKSPACE_OPTIONS = (
    (("--subscription",), "AZURE_SUBSCRIPTION_ID", "Id of the Azure subscription."),
    (
        ("--resource-group", "-g"),
        "AZURE_RESOURCE_GROUP",
        "Resource group of the Azure ML workspace.",
    ),
    (("--workspace-name", "-w"), "AZURE_WORKSPACE", "Name of the Azure ML workspace."),
    (
        ("--log-workspace",),
        "LOG_ANALYTICS_WORKSPACE_ID",
        "Id of the Log Analytics workspace that receives the endpoint's traffic log.",
    ),
)
"""Names of the option, its variable, its help."""


def in_workspace(
    command: Callable[..., None], *, plans_without: bool = False, reads_log: bool = True
) -> Callable[..., None]:
    """Add the options that name a workspace, and pass them on as one ``Workspace``.

    ``plans_without``: with --plan or --regions the options may be missing; the workspace is then
    None. Without ``reads_log`` the log's workspace may be missing.
    """

    @functools.wraps(command)
    def wrapped(
        subscription: str,
        resource_group: str,
        workspace_name: str,
        log_workspace: str,
        **options: Any,
    ) -> None:
        values = (subscription, resource_group, workspace_name, log_workspace)
        missing = [
            f"{names[0]} ({variable})"
            for (names, variable, _), value in zip(WORKSPACE_OPTIONS, values, strict=True)
            if not value and (reads_log or variable != "LOG_ANALYTICS_WORKSPACE_ID")
        ]
        needed = not (plans_without and (options["only_plan"] or options["region_file"]))
        if missing and needed:
            raise click.UsageError(f"The workspace is unknown; give {', '.join(missing)}.")
        command(
            None if missing else targets.Workspace(*(value or "" for value in values)),
            **options,
        )

    for names, variable, text in reversed(WORKSPACE_OPTIONS):
        option = click.option(*names, envvar=variable, show_envvar=True, help=text)
        wrapped = option(wrapped)
    return wrapped


def journal_of(out: Path, endpoint: str) -> Path:
    return out / f"{endpoint}.jsonl"
