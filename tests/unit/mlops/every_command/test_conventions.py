"""All commands keep the conventions of docs/command-line.md."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from commands import FOUND
from mlops import command_group
from mlops.cli import main
from mlops.endpoint import EndpointError, NotSignedIn
from mlops.exit_status import ExitStatus
from places import REPOSITORY

VISIBLE = {name: command for name, command in sorted(FOUND.items()) if not command.hidden}
TERMINATED = 143
"""What a shell reports where SIGTERM ends a process; no command gives it itself."""


def shown(*words: str, columns: int = 80) -> str:
    result = CliRunner().invoke(main, words, prog_name="mlops", terminal_width=columns)
    assert result.exit_code == ExitStatus.DONE, result.output
    return result.output


def test_the_page_lists_the_exit_statuses():
    """Each status of the code is explained, and no other."""
    page = (REPOSITORY / "docs" / "command-line.md").read_text()
    listed = [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert listed == [*ExitStatus, TERMINATED]


def test_no_command_makes_up_an_exit_status():
    """A script can rely on the page: there is no other way to end a command."""
    made_up = [
        f"{module}:{node.lineno}"
        for module in Path(command_group.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr == "ClickException"
            or (node.func.attr == "exit" and any(isinstance(a, ast.Constant) for a in node.args))
        )
    ]
    assert made_up == []


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (KeyboardInterrupt(), ExitStatus.INTERRUPTED),
        (click.Abort(), ExitStatus.INTERRUPTED),
        (FileNotFoundError(2, "No such file", "x"), ExitStatus.UNUSABLE),
        (ModuleNotFoundError(name="psutil"), ExitStatus.UNUSABLE),
        (EndpointError("The endpoint is busy; try again."), ExitStatus.SERVER),
        (NotSignedIn("Nobody is signed in; run `az login`."), ExitStatus.NOT_SIGNED_IN),
        (ZeroDivisionError(), ExitStatus.UNEXPECTED),
        (SystemExit(0), ExitStatus.UNEXPECTED),
    ],
    ids=lambda value: getattr(value, "name", type(value).__name__),
)
@pytest.mark.parametrize("name", VISIBLE)
def test_whatever_happens_has_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, name: str, raised: BaseException, status: ExitStatus
):
    """No command has statuses of its own for an interrupt, a missing file or a fault of ours."""

    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(VISIBLE[name], "invoke", fail)
    monkeypatch.setattr(VISIBLE[name], "params", [])
    result = CliRunner().invoke(main, [name])
    assert result.exit_code == status, result.output
    assert result.stdout == ""


def test_the_help_lists_each_command_once_and_uncut():
    """By task, in one line each on a terminal of 80 columns."""
    listed = re.findall(r"^  ([a-z]+)  +\S.*[^.]\.$", shown("--help"), re.MULTILINE)
    assert sorted(listed) == [*VISIBLE]
    assert [*command_group.TASKS] == re.findall(
        r"^(\w+.* it|\w+.* artifact):$", shown("--help"), re.M
    )


@pytest.mark.parametrize("name", VISIBLE)
def test_the_help_of_a_command_has_an_example_that_can_be_pasted(name: str):
    """It stands in one line, and has only options that exist."""
    example = re.search(
        rf"^  Example: mlops {name}( .*)?$\n\n", shown(name, "--help"), re.MULTILINE
    )
    assert example, shown(name, "--help")
    known = {option for parameter in VISIBLE[name].params for option in parameter.opts}
    words = shlex.split((example[1] or "").partition(" > ")[0])
    assert {word for word in words if word.startswith("--")} <= known
    required = [parameter for parameter in VISIBLE[name].params if parameter.required]
    assert len(words) >= len(required)


@pytest.mark.parametrize("name", VISIBLE)
def test_help_with_a_command_is_the_help_of_that_command(name: str):
    """As `git help` does."""
    assert shown("help", name) == shown(name, "--help")


def test_help_of_nothing_is_the_list_and_of_no_command_an_error():
    """Wrong names are wrong use."""
    assert shown("help") == shown("--help")
    result = CliRunner().invoke(main, ["help", "nothing"])
    assert (result.exit_code, "No such command 'nothing'" in result.output) == (2, True)


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_what_a_bug_report_needs(option: str):
    """Ours, Python's, the system's, and those of the libraries that matter."""
    lines = shown(option).splitlines()
    assert re.fullmatch(r"mlops \d+\.\d+\.\d+\S*", lines[0])
    assert lines[1].startswith("Python 3.")
    assert any(line.startswith("scikit-learn ") for line in lines)
