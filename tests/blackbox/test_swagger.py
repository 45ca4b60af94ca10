import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from blackbox.server import Server
from mlops.cli import main


@pytest.mark.parametrize("version", ["2", "3", "3.1"])
def test_every_example_scores(demo: Server, version: str):
    """What the server says one may send, it answers with predictions."""
    answer = demo.get(f"/swagger.json?version={version}")
    assert answer.status_code == 200
    document = answer.json()
    if version == "2":
        examples = {"body": {"value": document["definitions"]["ServiceInput"]["example"]}}
    else:
        content = document["paths"]["/score"]["post"]["requestBody"]["content"]
        examples = content["application/json"]["examples"]
        csv = content["text/csv"]["examples"]["csv"]["value"]
        sent = demo.client.post("/score", content=csv, headers={"Content-Type": "text/csv"})
        assert sent.status_code == 200, sent.text
    for form, example in examples.items():
        scored = demo.score(example["value"])
        assert scored.status_code == 200, (form, scored.text)
        assert scored.json()["predictions"], form


def test_the_document_is_ours_and_is_not_sent_twice(demo: Server):
    """azmlinfsrv's own document has no columns; an unchanged one is 304."""
    answer = demo.get("/swagger.json")
    assert "Record" in json.loads(answer.content)["definitions"]
    again = demo.client.get("/swagger.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert demo.get("/swagger.json?version=4").status_code == 404


def test_types_of_rows_are_those_of_the_served_model(demo: Server, demo_model: Path):
    """`mlops types` writes the same from a server's address as from the model's folder."""
    served, packaged = (
        CliRunner().invoke(main, ["types", model])
        for model in (f"{demo.url}/score", str(demo_model))
    )
    assert (served.exit_code, served.output) == (0, packaged.output)
