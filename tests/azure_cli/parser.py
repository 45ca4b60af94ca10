"""Reads a command line of ``az`` as the Azure CLI does: what it does not know it refuses.

Options may not be shortened here, though the CLI would let them, since a new option can make that
ambiguous.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).parent
COMMANDS: dict[str, dict[str, dict[str, Any]]] = {
    name: options
    for file in ("core.json", "extensions.json")
    for name, options in json.loads((HERE / file).read_text())["commands"].items()
}
METRICS: dict[str, dict[str, dict[str, Any]]] = json.loads((HERE / "metrics.json").read_text())[
    "metrics"
]
"""``dimensions``, ``aggregations`` and the finest interval in ``minutes``, by resource type and
metric."""

OF_EVERY_COMMAND: dict[str, dict[str, Any]] = {
    "--debug": {"nargs": 0},
    "--verbose": {"nargs": 0},
    "--only-show-errors": {"nargs": 0},
    "--output -o": {"choices": ["json", "jsonc", "yaml", "yamlc", "table", "tsv", "none"]},
    "--query": {},
    "--subscription": {},
}


class AzureCliError(Exception):
    """``az`` would end with a usage error."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise AzureCliError(f"az {self.prog}: {message}")


def parse(words: Sequence[str], group: str = "", workspace: str = "") -> tuple[str, dict[str, Any]]:
    """The command, and the options given to it by their longest names.

    ``group`` and ``workspace``: what ``AZURE_DEFAULTS_GROUP`` and ``AZURE_DEFAULTS_WORKSPACE``
    hold. Raises AzureCliError.
    """
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    name = " ".join(words[:count])
    if name not in COMMANDS:
        raise AzureCliError(f"az {name} is not known here: see tests/azure_cli/snapshot.py.")
    configured = {"--resource-group -g": group, "--workspace-name -w": workspace}
    parser = _Parser(prog=name, add_help=False, allow_abbrev=False)
    taken = {each for names in COMMANDS[name] for each in names.split()}
    common = {
        names: option
        for names, option in OF_EVERY_COMMAND.items()
        if taken.isdisjoint(names.split())
    }
    for names, option in (common | COMMANDS[name]).items():
        _add(parser, names.split(), option, configured.get(names) or None)
    given = vars(parser.parse_args(words[count:]))
    return name, {key: value for key, value in given.items() if value is not None}


def _add(
    parser: argparse.ArgumentParser, names: list[str], option: dict[str, Any], default: str | None
) -> None:
    longest = max(names, key=len)
    if option.get("nargs") == 0:
        parser.add_argument(*names, dest=longest, action="store_true", default=None)
        return
    required = default is None and "required" in option
    shape = {key: option[key] for key in ("nargs", "choices") if key in option}
    parser.add_argument(*names, dest=longest, default=default, required=required, **shape)
