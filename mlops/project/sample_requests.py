"""Writes and checks the sample requests in ``endpoints/``, which the deployed model must answer."""

from __future__ import annotations

import json
from pathlib import Path

from azureml_scoring.errors import ClientError
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.files.manifest import Manifest
from validation import validate

TABLE = """{
  "input_data": {
    "columns": %s,
    "index": %s,
    "data": [
      %s
    ]
  }
}
"""
PLAIN, NAMED = Path("endpoints/sample-request.json"), Path("endpoints/sample-request-columns.json")


def texts(packaged: Manifest) -> dict[Path, str]:
    """Return each file's text: one golden row, and two with column names, as MLflow sends them."""
    rows = [_json(row) for row in packaged.golden_rows[:2]]
    columns = packaged.contract.names or range(len(packaged.contract.features))
    indented = ",\n      ".join(rows)
    return {
        PLAIN: f'{{"data": [{rows[0]}]}}\n',
        NAMED: TABLE % (_json([*columns]), _json([*range(len(rows))]), indented),
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def refused(path: Path, packaged: Manifest) -> str | None:
    """Return why the model refuses the request in a file, or None if it accepts it."""
    try:
        validate(path.read_bytes(), packaged.contract, Limits())
    except OSError as error:
        return error.strerror or "it can't be read"
    except ClientError as error:
        return error.message
    return None
