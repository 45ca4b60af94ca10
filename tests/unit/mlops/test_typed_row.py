"""`mlops types`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

import support
from azureml_scoring.http.openapi.document import openapi
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from mlops.cli import main
from mlops.typed_row import columns_in, columns_of, source

FEATURES = [
    Feature("age"),
    Feature("visits", "int64", missing=True),
    Feature("city", "category", categories=("Oslo", 'a "b" \\')),
    Feature("size", "category", categories=(1.5, 2), unseen=True),
    Feature("member", "bool", optional=True),
    Feature("since", "datetime"),
    Feature("other", "any"),
]


def test_a_row_has_the_types_of_the_contract():
    """Missing values, categories and optional columns are in the types."""
    assert source(columns_of(FEATURES)).splitlines()[4:] == [
        "",
        "class Row(TypedDict):",
        "    age: float",
        "    visits: int | None",
        "    city: Literal['Oslo', 'a \"b\" \\\\']",
        "    size: float",
        "    member: NotRequired[bool]",
        "    since: str",
        "    other: Any",
    ]


@pytest.mark.slow
def test_the_module_passes_strict_type_checks(tmp_path: Path):
    """So does one with names that Python can't have, and a wrong row is found."""
    odd = [Feature("blood pressure"), Feature("class", "str"), Feature(None)]
    (tmp_path / "named.py").write_text(source(columns_of(FEATURES)))
    (tmp_path / "odd.py").write_text(source(columns_of(odd)))
    (tmp_path / "wrong.py").write_text(
        'from odd import Row\nrow: Row = {"blood pressure": "x", "class": "y", "2": 1.0}\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-incremental", "."],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "Found 1 error in 1 file" in done.stdout, done.stdout
    assert done.stdout.startswith("wrong.py:2")


def test_the_command_prints_the_module(demo_model: Path):
    """It reads the artifact's contract."""
    result = CliRunner().invoke(main, ["types", str(demo_model)])
    assert (result.exit_code, "    age: float\n" in result.output) == (0, True)


def test_a_server_says_the_same_of_its_model():
    """Its OpenAPI document holds the whole contract."""
    contract = Contract(tuple(FEATURES), ("predict",))
    document = orjson.loads(orjson.dumps(openapi(support.model(contract), Limits())))
    assert source(columns_in(document)) == source(columns_of(FEATURES))


@pytest.mark.parametrize(
    ("model", "words"),
    [("nowhere", "no such folder"), ("http://127.0.0.1:1", "check the")],
)
def test_what_can_not_be_read_is_told(model: str, words: str):
    """In one sentence."""
    result = CliRunner().invoke(main, ["types", model])
    assert result.exit_code
    assert words in " ".join(result.output.split())
