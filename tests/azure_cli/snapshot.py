"""Writes ``core.json``: the options of the Azure CLI's commands that our pages use, read off the
CLI itself.

The CLI is too large to test with (half a gigabyte). After a page uses another command, name it in
``COMMANDS`` and run this in an environment of the CLI's own:

    python -m venv build/azure-cli && build/azure-cli/bin/pip install azure-cli PYTHONPATH=tests
build/azure-cli/bin/python -m azure_cli.snapshot

Commands of extensions stand in ``extensions.json``, written by hand from Microsoft's reference,
which each names.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

COMMANDS = (
    "account set",
    "ad signed-in-user show",
    "aks get-credentials",
    "aks nodepool show",
    "aks nodepool update",
    "apim list",
    "login",
    "monitor activity-log list",
    "monitor autoscale show",
    "monitor autoscale update",
    "monitor log-analytics workspace show",
    "monitor log-analytics workspace update",
    "monitor metrics list",
    "resource list",
    "resource show",
    "role assignment list",
)
OF_EVERY_COMMAND = {
    "--acquire-policy-token",
    "--change-reference",
    "--cmd",
    "--debug",
    "--help",
    "--only-show-errors",
    "--output",
    "--query",
    "--verbose",
}
CORE = Path(__file__).with_name("core.json")


def main() -> None:
    from azure.cli.core import __version__, get_default_cli  # type: ignore[import-not-found]
    from azure.cli.core.file_util import create_invoker_and_load_cmds_and_args  # type: ignore[import-not-found]

    cli = get_default_cli()
    create_invoker_and_load_cmds_and_args(cli)
    commands = {name: _options(_parser(cli.invocation.parser, name)) for name in COMMANDS}
    lines = [f'    "{name}": {json.dumps(options)}' for name, options in sorted(commands.items())]
    source = f"azure-cli {__version__}, https://pypi.org/project/azure-cli/; written by snapshot.py"
    CORE.write_text(
        f'{{\n  "source": "{source}",\n  "commands": {{\n' + ",\n".join(lines) + "\n  }\n}\n"
    )


def _parser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    for word in name.split():
        (groups,) = [
            action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
        ]
        parser = groups.choices[word]
    return parser


def _options(parser: argparse.ArgumentParser) -> dict[str, dict[str, Any]]:
    """Return options by name, without those that every command has."""
    options = {}
    for action in parser._actions:
        names = [name for name in action.option_strings if not name.startswith("--___")]
        if not names or set(names) & OF_EVERY_COMMAND:
            continue
        option: dict[str, Any] = {} if action.nargs is None else {"nargs": action.nargs}
        if action.required:
            option["required"] = True
        if action.choices:
            option["choices"] = list(action.choices)
        options[" ".join(names)] = option
    return options


if __name__ == "__main__":
    main()
