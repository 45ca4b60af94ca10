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
    """Add the options that name a workspace, and pass them on as one ``Workspace``.

    ``plans_without``: with --plan the options may be missing; the workspace is then None. Without
    ``reads_log`` the log's workspace may be missing.
    """

    @click.option(
        "--subscription",
        envvar="AZURE_SUBSCRIPTION_ID",
        show_envvar=True,
        help="Id of the Azure subscription.",
    )
    @click.option(
        "--resource-group",
        "-g",
        envvar="AZURE_RESOURCE_GROUP",
        show_envvar=True,
        help="Resource group of the Azure ML workspace.",
    )
    @click.option(
        "--workspace-name",
        "-w",
        envvar="AZURE_WORKSPACE",
        show_envvar=True,
        help="Name of the Azure ML workspace.",
    )
    @click.option(
        "--log-workspace",
        envvar="LOG_ANALYTICS_WORKSPACE_ID",
        show_envvar=True,
        help="Id of the Log Analytics workspace that receives the endpoint's traffic log.",
    )
    @functools.wraps(command)
    def wrapped(
        subscription: str,
        resource_group: str,
        workspace_name: str,
        log_workspace: str,
        **options: Any,
    ) -> None:
        values = {
            "--subscription (AZURE_SUBSCRIPTION_ID)": subscription,
            "--resource-group (AZURE_RESOURCE_GROUP)": resource_group,
            "--workspace-name (AZURE_WORKSPACE)": workspace_name,
            "--log-workspace (LOG_ANALYTICS_WORKSPACE_ID)": log_workspace,
        }
        missing = [
            name
            for name, value in values.items()
            if not value and (reads_log or "--log-workspace" not in name)
        ]
        if missing and not (plans_without and options["only_plan"]):
            raise click.UsageError(f"The workspace is unknown; give {', '.join(missing)}.")
        command(
            None if missing else targets.Workspace(*(value or "" for value in values.values())),
            **options,
        )

    return wrapped


def journal_of(out: Path, endpoint: str) -> Path:
    return out / f"{endpoint}.jsonl"
