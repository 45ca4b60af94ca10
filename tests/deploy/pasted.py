"""Pastes a page's commands into a shell, with stand-ins for the programs that would reach Azure.

The stand-ins for ``az``, ``mlops``, ``make`` and ``kubelogin`` only record their arguments; all
other programs are real.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.checkout import REPOSITORY

KEPT = (
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_RESOURCE_GROUP",
    "AZURE_WORKSPACE",
    "LOG_ANALYTICS_WORKSPACE_ID",
    "AZURE_DEFAULTS_GROUP",
    "AZURE_DEFAULTS_WORKSPACE",
    "ENDPOINT",
    "DEPLOYMENT",
)
"""Variables that the stand-ins keep: what the programs read, and the page's own."""

STANDINS = ("az", ".venv/bin/mlops", "make", "kubelogin")
END = "\x1e"


class Call(NamedTuple):
    program: str
    words: list[str]
    env: dict[str, str]


class Shell:
    """A shell in the checkout ``folder``. ``answers``: what ``az`` prints if its arguments contain
    the key.

    ``calls``: those of ``set_up``, whose variables and functions the pasted commands see.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str], answers: Mapping[str, str], set_up: str
    ) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        self._env = dict(env) | {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
        }
        for name in ("infrastructure", "endpoints", "kubernetes", "docs"):
            (folder / name).symlink_to(REPOSITORY / name)
        for name in STANDINS:
            place = folder / (name if "/" in name else f"bin/{name}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(_standin(self._calls, answers if name == "az" else {}))
            place.chmod(0o755)
        self._state = folder / "state"
        self._state.write_text("")
        self.calls = self.paste(f'{set_up}\n{{ export -p; declare -f; }} > "{self._state}"')

    def paste(self, text: str) -> list[Call]:
        """Run commands and return the stand-ins' calls.

        Raises AssertionError at the first command that fails, or at a variable that is not set.
        """
        self._calls.write_text("")
        done = subprocess.run(
            ["bash", "--norc", "-euo", "pipefail", "-c", f'. "{self._state}"\n{text}'],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        fields = [record.split("\0")[:-1] for record in self._calls.read_text().split(END)[:-1]]
        return [_call(each) for each in fields]


def _call(fields: list[str]) -> Call:
    program, *rest = fields
    return Call(program, rest[len(KEPT) :], dict(zip(KEPT, rest, strict=False)))


def _standin(calls: Path, answers: Mapping[str, str]) -> str:
    kept = " ".join(f'"${{{name}-}}"' for name in KEPT)
    cases = "\n".join(f'  *"{words}"*) echo "{answer}" ;;' for words, answer in answers.items())
    return f"""#!/bin/bash
{{ printf '%s\\0' "${{0##*/}}" {kept} "$@"; printf '{END}'; }} >> "{calls}"
case "$*" in
{cases}
  *) ;;
esac
"""
