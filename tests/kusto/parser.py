"""Queries as Microsoft's own Kusto parser and binder see them, run by Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
QUERIES = REPOSITORY / "infrastructure" / "queries"
PACKS = ("containerlogv2", "managed")
FILES = sorted(
    path.relative_to(QUERIES).with_suffix("").as_posix() for path in QUERIES.glob("*/*.kql")
)
"""Of both packs, without their ending."""

PARSER = REPOSITORY / "build" / "kusto" / "node_modules"
HERE = Path(__file__).parent
TABLES: dict[str, str] = json.loads((HERE / "tables.json").read_text())["tables"]


class Query(NamedTuple):
    """``columns``: type by name, of the result. ``tree``: of ``[kind, *children]``; a token is
    ``[kind, text]``."""

    errors: list[str]
    columns: dict[str, str]
    tree: list[Any]


def parse(queries: dict[str, str]) -> dict[str, Query]:
    """Parse queries by name, against the tables of ``tables.json``."""
    node = shutil.which(
        "node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if node is None or not PARSER.is_dir():
        pytest.fail("Microsoft's Kusto parser is not installed; get it by `make kusto`")
    done = subprocess.run(
        [node, HERE / "parse.js"],
        input=json.dumps([queries, TABLES]),
        env={"NODE_PATH": str(PARSER)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: Query(**found) for name, found in json.loads(done.stdout).items()}
