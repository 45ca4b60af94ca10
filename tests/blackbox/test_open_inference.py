"""The open protocol against running servers, under our worker and under gunicorn's."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import support
from blackbox.server import Server

PAGE = (Path(__file__).parents[2] / "docs" / "requests.md").read_text()
MODEL = "/v2/models/diabetes-classifier"
TENSOR = {
    "name": "rows",
    "shape": [2, len(support.ROW)],
    "datatype": "FP64",
    "data": [*support.ROW, *support.ROW],
}


def post(server: Server, path: str, document: Any, **headers: str) -> tuple[int, Any]:
    response = server.client.post(path, content=json.dumps(document), headers=headers)
    return response.status_code, response.json()


def test_tensors_get_the_predictions_of_score(demo: Server):
    """As tritonclient sends them: JSON without a Content-Type, in one tensor or one a column."""
    expected = demo.score({"data": [support.ROW] * 2}).json()["predictions"]
    columns = [
        {"name": name, "shape": [2], "datatype": "FP64", "data": [value] * 2}
        for name, value in zip(support.NAMES, support.ROW, strict=True)
    ]
    for inputs in ([TENSOR], columns):
        status, answer = post(demo, f"{MODEL}/infer", {"id": "7", "inputs": inputs})
        output = {"name": "predict", "datatype": "INT64", "shape": [2], "data": expected}
        assert (status, answer["id"], answer["outputs"]) == (200, "7", [output])
        assert answer["model_version"] == "v1.2.3"


def test_the_example_of_the_page_scores(demo: Server):
    """It asks for probabilities."""
    (example,) = re.findall(r"```json\n(\{\"id\".*?)```", PAGE, re.DOTALL)
    status, answer = post(demo, f"{MODEL}/versions/v1.2.3/infer", json.loads(example))
    (output,) = answer["outputs"]
    assert (status, output["name"], output["shape"]) == (200, "predict_proba", [1, 2])
    assert sum(output["data"]) == pytest.approx(1)


def test_kserves_older_clients_are_answered(demo: Server):
    """Predictions alone, in TensorFlow Serving's form."""
    status, answer = post(
        demo, "/v1/models/diabetes-classifier:predict", {"instances": [support.ROW]}
    )
    assert (status, answer) == (200, {"predictions": [1]})


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/v2/models/other/infer", {"inputs": [TENSOR]}, 404),
        (f"{MODEL}/versions/v9/infer", {"inputs": [TENSOR]}, 404),
        (f"{MODEL}/infer", {"inputs": [TENSOR | {"shape": [1, 10]}]}, 422),
        (f"{MODEL}/infer", {"inputs": 5}, 400),
        ("/v1/models/diabetes-classifier:predict", {"instances": "x"}, 422),
    ],
)
def test_errors_have_the_protocols_shape(demo: Server, path: str, document: Any, status: int):
    """One text under the key error."""
    got, answer = post(demo, path, document)
    assert (got, list(answer)) == (status, ["error"])


def test_the_protocols_probes_answer(demo: Server):
    """Live, ready, and what the model takes."""
    for path in ("/v2/health/live", "/v2/health/ready", f"{MODEL}/ready", "/v2"):
        assert demo.client.get(path).status_code == 200
    answer = demo.client.get(MODEL).json()
    assert [tensor["name"] for tensor in answer["inputs"]] == support.NAMES
    assert answer["versions"] == ["v1.2.3"]


def test_the_outputs_of_the_metadata_are_those_of_answers(demo: Server):
    """A client may ask for each by its name, and allocate what it says."""
    for output in demo.client.get(MODEL).json()["outputs"]:
        asked = {"inputs": [TENSOR], "outputs": [{"name": output["name"]}]}
        status, answer = post(demo, f"{MODEL}/infer", asked)
        (answered,) = answer["outputs"]
        assert status == 200
        assert output == {
            "name": answered["name"],
            "datatype": answered["datatype"],
            "shape": [-1, *answered["shape"][1:]],
        }
