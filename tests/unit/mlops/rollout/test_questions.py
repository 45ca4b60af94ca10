"""The rows that two deployments must agree on: read as the model takes them, and sent by name."""

from pathlib import Path

import orjson
import pytest

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.files.manifest import Manifest
from mlops.endpoint import EndpointAnswer
from mlops.rollout.drawn_rows import ROWS_DRAWN
from mlops.rollout.questions import Questions, table
from mlops.rollout.same_rows import SameRows
from simulated_endpoint import NEW, OLD, Simulated


class Asked(Simulated):
    """Keeps the bodies that it is asked, and answers the place of each row in its body."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[dict[str, object]] = []

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        document = orjson.loads(body)
        self.bodies.append(document)
        rows = document["data"] if "data" in document else document["input_data"]["data"]
        return EndpointAnswer(200, orjson.dumps({"predictions": list(range(len(rows)))}), 1.0)


def sent(questions: Questions) -> list[dict[str, object]]:
    """Return the requests to the old deployment; the same ones go to it again, and to the new
    one."""
    endpoint = Asked()
    same_rows = SameRows(questions, endpoint, NEW, OLD)
    same_rows.ask_old()
    agreed = same_rows.look()
    assert agreed.same == agreed.asked == len(questions.rows)
    bodies, requests = endpoint.bodies, len(endpoint.bodies) // 3
    assert bodies == bodies[:requests] * 3
    return bodies[:requests]


def test_a_sample_is_read_as_the_contract_says_and_sent_by_its_names(tmp_path: Path):
    """Postcodes stay texts, and the file's order does not matter. Others of its columns may be the
    old model's."""
    (tmp_path / "rows.csv").write_text("age,income,postcode\n30,5,10115\n40,,01067\n")
    features = (Feature("postcode", "str"), Feature("income", "float64", missing=True))
    expected = {
        "columns": ["age", "income", "postcode"],
        "data": [[30, 5.0, "10115"], [40, None, "01067"]],
    }
    assert sent(table(tmp_path / "rows.csv", features)) == [{"input_data": expected}]
    (tmp_path / "rows.csv").write_text("income\n5\n")
    with pytest.raises(
        StartupError, match=r"lacks columns that the model takes: postcode; add them\."
    ):
        table(tmp_path / "rows.csv", features)


def test_a_sample_that_json_can_not_hold_is_refused(tmp_path: Path):
    """Infinity would become null."""
    (tmp_path / "rows.csv").write_text("a\n1e999\n")
    with pytest.raises(StartupError, match="holds an infinite number"):
        table(tmp_path / "rows.csv", (Feature("a"),))


def test_a_model_without_names_is_asked_by_position(tmp_path: Path):
    """Whatever the file calls its columns; so is one with names, by a file without. Too many
    columns are refused."""
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    features = (Feature(None), Feature(None, "str"))
    assert sent(table(tmp_path / "rows.csv", features)) == [{"data": [[1.0, "2"]]}]
    with pytest.raises(StartupError, match="has 2 columns, and the model takes 1"):
        table(tmp_path / "rows.csv", features[:1])
    (tmp_path / "rows.csv").write_text("1,2\n")
    assert sent(table(tmp_path / "rows.csv", (Feature("a"), Feature("b", "str")))) == [
        {"data": [[1.0, "2"]]}
    ]


def test_a_sample_for_a_model_of_which_nothing_is_known_is_sent_by_the_files_names(tmp_path: Path):
    """A file without names is sent without."""
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert sent(table(tmp_path / "rows.csv", ())) == [
        {"input_data": {"columns": ["a", "b"], "data": [[1, 2]]}}
    ]
    (tmp_path / "rows.csv").write_text("1,2\n")
    assert sent(table(tmp_path / "rows.csv", ())) == [{"data": [[1, 2]]}]


def test_a_large_sample_is_sent_by_a_hundred_rows():
    """The service refuses more."""
    assert sent(Questions(rows=[[1.0]] * 250)) == [
        {"data": [[1.0]] * count} for count in (100, 100, 50)
    ]


def test_golden_rows_are_asked_by_name(tmp_path: Path):
    """The old deployment may have been fitted on another order of the same columns. Rows that are
    drawn like them make enough to compare predictions by."""
    estimator, frame = support.mixed()
    packaged = Manifest.read(support.packaged(estimator, frame, tmp_path))
    asked = Questions.of(packaged)
    expected = {"columns": list(frame.columns), "data": packaged.golden_rows}
    assert asked.golden[0][0] == {"input_data": expected, "method": "predict"}
    assert (asked.columns, len(asked.rows)) == (expected["columns"], ROWS_DRAWN)
    predict = Predictor(estimator, packaged.contract)
    assert len(predict(golden_check.batch_of(asked.rows, packaged.contract))) == ROWS_DRAWN
