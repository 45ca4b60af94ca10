"""Sample requests are made of the model, which takes them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import support
from azureml_scoring.models.files.manifest import Manifest
from examples import few_of
from mlops.cli import main
from mlops.project import names, project_file, sample_requests


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_sample_requests_are_made_of_the_model(repository: Path):
    """Requests that the model refuses are replaced; `mlops check` reports them before."""
    assert run("names").exit_code == 0
    assert run("artifact").exit_code == 0
    told = [str(problem) for problem in names.check(Path(), project_file.read().names)]
    assert len(told) == 2
    assert all(
        "is not a request that the model in artifact takes" in line and "run `make names`" in line
        for line in told
    )
    assert run("names").stdout.endswith("2 changed.\n")
    assert names.check(Path(), project_file.read().names) == []
    written = (repository / sample_requests.NAMED).read_bytes()
    assert json.loads(written)["input_data"]["columns"] == ["income", "city", "member", "visits"]
    (repository / sample_requests.PLAIN).write_text(
        '{"data": [[5, "Oslo", true, 2]], "method": "predict_proba"}'
    )
    assert run("names").stdout == "0 changed.\n"  # one's own, which works


@pytest.mark.parametrize(
    "kind",
    few_of(["mixed", "codes", "texts", "categories", "plain_regression"], ["mixed", "texts"]),
)
def test_the_model_takes_its_sample_requests(kind: str, tmp_path: Path, uncompiled: None):
    """That holds for all kinds of columns, with names or without; `make deep` has more kinds."""
    estimator, frame = getattr(support, kind)()
    packaged = Manifest.read(support.packaged(estimator, frame, tmp_path))
    for path, text in sample_requests.texts(packaged).items():
        (tmp_path / path.name).write_text(text)
        assert sample_requests.refused(tmp_path / path.name, packaged) is None
