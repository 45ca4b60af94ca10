"""``mlops bom``."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import support
from package_command import run


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of columns with names."""
    estimator, frame = support.mixed()
    return support.packaged(estimator, frame, tmp_path_factory.mktemp("mixed"), name="a_model")


def printed(*options: object) -> Any:
    result = run("bom", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_it_is_valid(mixed: Path, demo_model: Path, tmp_path: Path):
    """By CycloneDX's own schema, with and without data and metrics."""
    (tmp_path / "train.csv").write_text("a\n1\n")
    full = ("--data", tmp_path / "train.csv", "--metric", "auc=0.9", "--metric", "F1=0.8")
    for artifact, options in ((mixed, ()), (demo_model, full)):
        document = printed(artifact, *options)
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None


def test_it_says_what_the_model_is(mixed: Path, tmp_path: Path):
    """Its columns, methods, files, libraries, data and metrics; data by its sha256 alone."""
    data = tmp_path / "train.csv"
    data.write_text("secret\n1\n")
    document = printed(mixed, "--data", data, "--metric", "auc=0.9")
    model = document["metadata"]["component"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "a_model")
    card = model["modelCard"]
    inputs = [each["format"] for each in card["modelParameters"]["inputs"]]
    assert inputs[:2] == ["income: float64", "city: str"]
    assert card["modelParameters"]["outputs"][0] == {"format": "predict"}
    (dataset,) = card["modelParameters"]["datasets"]
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    assert dataset["contents"]["properties"][0]["value"] == digest
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [{"type": "auc", "value": "0.9"}]
    for file in model["components"]:
        content = (mixed / file["name"]).read_bytes()
        assert file["hashes"][0]["content"] == hashlib.sha256(content).hexdigest()
    assert {each["name"] for each in document["components"]} >= {"scikit-learn", "numpy"}
    assert "secret" not in json.dumps(document)


def test_the_card_is_made_of_it(mixed: Path):
    """For people, in Markdown that shows names as they are."""
    result = run("bom", mixed, "--metric", "auc=0.9", "--card")
    assert result.output.startswith("# a\\_model 1\n\n## Takes\n\n- income: float64\n- city: str\n")
    assert "## Metrics\n\n- auc: 0.9\n" in result.output


def test_a_metric_without_a_value_is_refused(mixed: Path):
    """One sentence says how to write it."""
    for metric in ("auc", "=1", "auc="):
        assert "write --metric auc=0.93" in run("bom", mixed, "--metric", metric).output
