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


def in_workspace(
    command: Callable[..., None], *, plans_without: bool = False, reads_log: bool = True
) -> Callable[..., None]:
    """The options that name a workspace, handed on as one; as None where ``plans_without`` and only
    a plan is asked. Without ``reads_log`` the log's workspace may be missing."""

    @click.option("--subscription", envvar="AZURE_SUBSCRIPTION_ID", show_envvar=True)
    @click.option("--resource-group", "-g", envvar="AZURE_RESOURCE_GROUP", show_envvar=True)
    @click.option("--workspace-name", "-w", envvar="AZURE_WORKSPACE", show_envvar=True)
    @click.option(
        "--log-workspace",
        envvar="LOG_ANALYTICS_WORKSPACE_ID",
        show_envvar=True,
        help="Id of the Log Analytics workspace that the endpoint's diagnostic settings send its traffic log to.",
    )
    @functools.wraps(command)
    def wrapped(
        subscription: str,
        resource_group: str,
        workspace_name: str,
        log_workspace: str,
        **options: Any,
    ) -> None:
        given = {
            "--subscription (AZURE_SUBSCRIPTION_ID)": subscription,
            "--resource-group (AZURE_RESOURCE_GROUP)": resource_group,
            "--workspace-name (AZURE_WORKSPACE)": workspace_name,
            "--log-workspace (LOG_ANALYTICS_WORKSPACE_ID)": log_workspace,
        }
        missing = [
            name
            for name, value in given.items()
            if not value and (reads_log or "--log-workspace" not in name)
        ]
        if missing and not (plans_without and options["only_plan"]):
            raise click.UsageError(f"The workspace is not known; give {', '.join(missing)}.")
        command(
            None if missing else targets.Workspace(*(value or "" for value in given.values())),
            **options,
        )

    return wrapped


def journal_of(out: Path, endpoint: str) -> Path:
    return out / f"{endpoint}.jsonl"
