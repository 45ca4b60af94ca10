"""The group of all commands: where each is, how the help lists them, and how one fails."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mlops import failure
from mlops.exit_status import ExitStatus
from mlops.plain_text import plain

COMMAND_MODULES = {
    "artifact": "mlops.project.commands",
    "batch": "mlops.batch.command",
    "bom": "mlops.bom_command",
    "compare": "mlops.rollout.compare_command",
    "demo": "mlops.package_commands",
    "drift": "mlops.drift_command",
    "environment": "mlops.environment_command",
    "load": "mlops.load.commands",
    "names": "mlops.project.commands",
    "package": "mlops.package_commands",
    "quality": "mlops.quality.commands",
    "rehearse": "mlops.rehearsal.commands",
    "rollback": "mlops.rollout.rollback_command",
    "rollout": "mlops.rollout.rollout_command",
    "show": "mlops.show_command",
    "sign": "mlops.sign_commands",
    "simulate": "mlops.hpa.commands",
    "slo": "mlops.soak.commands",
    "types": "mlops.typed_row",
    "verify": "mlops.sign_commands",
}
"""Commands that have a module of their own, imported when they are used."""

TASKS = {
    "Make an artifact": (
        "demo",
        "package",
        "artifact",
        "show",
        "environment",
        "bom",
        "sign",
        "verify",
    ),
    "Try it": ("serve", "example", "types", "score", "batch", "load", "slo"),
    "Deploy it": ("names", "check", "rehearse", "simulate", "rollout", "rollback"),
    "Watch it": ("compare", "drift", "quality"),
}
"""How the help lists the commands."""


class CommandGroup(click.Group):
    """The group of all commands.

    It imports only what the chosen command needs, since importing everything takes two seconds.
    Whatever a command raises is reported in one sentence.
    """

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        with _reported():  # --help and --version print here
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with _reported(ctx):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMAND_MODULES])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMAND_MODULES:
            module = importlib.import_module(COMMAND_MODULES[cmd_name])
            command: click.Command = getattr(module, cmd_name)
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by task. A summary wraps on a narrow terminal, and is never cut."""
        width = max(len(name) for names in TASKS.values() for name in names)
        for task, names in TASKS.items():
            with formatter.section(task):
                formatter.write_dl(
                    [(name.ljust(width), _summary(self, ctx, name)) for name in names]
                )


@contextmanager
def _reported(ctx: click.Context | None = None) -> Iterator[None]:
    """Turn whatever is raised into click's exceptions, which hold a sentence and an exit status."""
    try:
        yield
    except (click.Abort, KeyboardInterrupt):
        click.echo("Aborted!", err=True)
        raise click.exceptions.Exit(ExitStatus.INTERRUPTED) from None
    except BrokenPipeError:
        _drop_output()
        raise click.exceptions.Exit(ExitStatus.PIPE_CLOSED) from None
    except click.exceptions.Exit:
        raise
    except click.ClickException as error:
        vars(error).update(message=plain(error.message))  # which click declares final
        raise
    except BaseException as error:  # a model may raise SystemExit; click raises its own Exit
        if ctx and ctx.params["debug"]:
            traceback.print_exc()
        raise failure.command_error(error, (ctx and ctx.invoked_subcommand) or "COMMAND") from None


def _summary(group: click.Group, ctx: click.Context, name: str) -> str:
    command = group.get_command(ctx, name)
    return command.get_short_help_str(limit=sys.maxsize) if command else ""


def _drop_output() -> None:
    """Let Python end without another error about the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
