"""An ONNX file alone is packaged by a sample, and served without scikit-learn and pickles."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import orjson
import pandas as pd
import pytest
from onnx import TensorProto
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops import SERVING
from mlops.package import package
from package_command import run
from validated import batch

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 3)).astype(np.float32)
FRAME = pd.DataFrame(X, columns=["age", "bmi", "bp"])
LABELS = np.array(["ill", "well"])[(X[:, 0] > 0).astype(int)]


def saved(folder: Path, graph: Any, name: str = "model.onnx") -> Path:
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    (folder / name).write_bytes(data)
    return folder / name


def answers(model: Model, rows: list[list[Any]], method: str) -> list[Any]:
    parts = [rows[start : start + 100] for start in range(0, len(rows), 100)]
    return [
        answer
        for part in parts
        for answer in model.predict(batch({"data": part, "method": method}, model.contract))
    ]


def mixed() -> tuple[Any, pd.DataFrame, bytes]:
    frame = pd.DataFrame(
        {"city": ["Oslo", "Rome", "0107"] * 100, "age": X[:, 0], "visits": [1, 2, 3] * 100}
    )
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), ("passthrough", ["age", "visits"])
    )
    fitted = make_pipeline(columns, LogisticRegression()).fit(frame, LABELS)
    kinds = {"city": "StringTensorType", "age": "FloatTensorType", "visits": "Int64TensorType"}
    return fitted, frame, graphs.of_columns(fitted, kinds)


def test_a_matrix_takes_the_names_of_the_sample(tmp_path: Path):
    """All of 300 rows get the estimator's answers, and nothing was measured but the sample."""
    fitted = LogisticRegression().fit(X, LABELS)
    file = saved(tmp_path, graphs.of_sklearn(fitted, 3))
    package(file, FRAME, tmp_path / "out")
    manifest, model = (
        Manifest.read(tmp_path / "out"),
        load(Settings(scoring_model_path=tmp_path / "out")),
    )
    assert manifest.contract.features == tuple(
        Feature(name, "float32") for name in ("age", "bmi", "bp")
    )
    assert manifest.contract.methods == ("predict", "predict_proba")
    assert (manifest.onnx, manifest.model_file) == (None, "model.onnx")
    assert set(manifest.files) == {"model.onnx"}
    assert set(manifest.golden_answers) == {"predict", "predict_proba"}
    assert answers(model, X.tolist(), "predict") == fitted.predict(X).tolist()
    np.testing.assert_allclose(
        answers(model, X.tolist(), "predict_proba"), fitted.predict_proba(X), atol=1e-6
    )
    assert model.backend == "onnx"
    assert model.runtime["graph"].startswith("onnxruntime ")
    assert model.quick is not None


def test_an_input_a_column_is_matched_by_name(tmp_path: Path):
    """A CSV is read with the graph's types: digits in a column of texts stay text, and whole
    numbers take no fractions."""
    fitted, frame, graph = mixed()
    frame[["visits", "city", "age"]].assign(target=1).to_csv(tmp_path / "s.csv", index=False)
    file = saved(tmp_path, graph)
    done = run(
        "package", file, "--sample", tmp_path / "s.csv", "--drop", "target",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    model = load(Settings(scoring_model_path=tmp_path / "out"))
    assert [(f.name, f.dtype) for f in model.contract.features] == [
        ("city", "str"), ("age", "float32"), ("visits", "int64"),
    ]  # fmt: skip
    assert answers(model, frame.to_numpy().tolist(), "predict") == fitted.predict(frame).tolist()


def test_columns_of_other_names_are_taken_by_place(tmp_path: Path):
    """Packaging says so; with some of the names it refuses instead."""
    _, frame, graph = mixed()
    file, said = saved(tmp_path, graph), list[str]()
    package(file, frame.set_axis(["a", "b", "c"], axis=1), tmp_path / "out", say=said.append)
    assert any("none of the graph's names (city, age, visits), so its columns" in s for s in said)
    assert Manifest.read(tmp_path / "out").contract.names == ("a", "b", "c")
    with pytest.raises(StartupError, match="lacks columns that the graph takes: city, visits"):
        package(file, frame.set_axis(["a", "age", "c"], axis=1), tmp_path / "other")


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (FRAME.assign(target=1), r"has 4 columns \(age, bmi, bp, target\), the graph takes 3; le"),
        (FRAME.assign(bp="high"), r"column bp of the sample is float32 to the graph, and holds st"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(tmp_path: Path, frame: pd.DataFrame, told: str):
    """The message names the column, or the way to leave one out."""
    with pytest.raises(StartupError, match=told):
        package(saved(tmp_path, graphs.linear()), frame, tmp_path / "out")


@pytest.mark.parametrize(("value", "told"), [(1.5, "holds floating values"), (None, "no missing")])
def test_a_whole_number_is_neither_cut_off_nor_made_up(tmp_path: Path, value: Any, told: str):
    """In the sample as in requests."""
    file = saved(tmp_path, graphs.whole())
    with pytest.raises(StartupError, match=told):
        package(file, pd.DataFrame({"count": [1, 2, value]}), tmp_path / "out")


def test_missing_values_are_taken_where_the_sample_has_some(tmp_path: Path):
    """A graph answers NaN in any column, also if the model that it was made of would not."""
    graph = graphs.model(
        [graphs.helper.make_node("IsNaN", ["x"], ["nan"]),
         graphs.helper.make_node("Cast", ["nan"], ["y"], to=TensorProto.FLOAT)],
        [graphs.tensor("x", TensorProto.FLOAT, "N", 2)],
        [graphs.tensor("y", TensorProto.FLOAT, "N", 2)],
    )  # fmt: skip
    frame = pd.DataFrame({"a": [1.0, np.nan] * 20, "b": [1.0, 2.0] * 20})
    package(saved(tmp_path, graph), frame, tmp_path / "out")
    contract = Manifest.read(tmp_path / "out").contract
    assert [feature.missing for feature in contract.features] == [True, False]


def test_a_graph_of_any_width_is_counted_by_the_sample(tmp_path: Path):
    """Alone it can't be served, since nobody knows how many columns it takes."""
    file = saved(tmp_path, graphs.linear(width=None))
    package(file, FRAME, tmp_path / "out")
    assert len(load(Settings(scoring_model_path=tmp_path / "out")).contract.features) == 3
    with pytest.raises(StartupError, match="does not say how many columns"):
        load(Settings(scoring_model_path=file))


def test_a_graph_is_served_without_a_manifest(tmp_path: Path):
    """Its inputs are its contract."""
    saved(tmp_path, graphs.linear())
    model = load(Settings(azureml_model_dir=tmp_path))
    assert model.contract == Contract((Feature(None, "float32"),) * 3, ("predict",), "array")
    assert answers(model, [[1, 0, 0], [0, 0, 1]], "predict") == [1, 3]


def test_an_estimator_beside_its_graph_is_the_model(tmp_path: Path):
    """As before graphs were served: the graph was made of it."""
    import support

    support.dump(LogisticRegression().fit(X, LABELS), tmp_path)
    saved(tmp_path, graphs.linear())
    assert load(Settings(azureml_model_dir=tmp_path)).backend == "sklearn"


def test_scikit_learn_can_not_be_demanded(tmp_path: Path):
    """There is none in the graph; ONNX can be."""
    file = saved(tmp_path, graphs.linear())
    with pytest.raises(StartupError, match="SCORING_BACKEND=sklearn, but the model is an ONNX"):
        load(Settings(scoring_model_path=file, scoring_backend="sklearn"))
    assert load(Settings(scoring_model_path=file, scoring_backend="onnx")).backend == "onnx"


def test_a_changed_graph_is_not_opened(tmp_path: Path):
    """Its checksum is compared first."""
    package(saved(tmp_path, graphs.linear()), FRAME, tmp_path / "out")
    saved(tmp_path / "out", graphs.linear(rows="M"))
    with pytest.raises(StartupError, match="is not the file that was packaged"):
        load(Settings(scoring_model_path=tmp_path / "out"))


SERVE = """
import sys
from pathlib import Path
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
import orjson
from validation import validate
from azureml_scoring.inputs.limits import Limits
model = load(Settings(scoring_model_path=Path(sys.argv[1]), scoring_allow_pickle=False))
print(model.predict(validate(b'{"data": [[1, 2, 3]]}', model.contract, Limits())))
print({"sklearn", "pandas"} & {*sys.modules})
"""


@pytest.mark.slow
def test_serving_needs_no_scikit_learn(tmp_path: Path):
    """Neither it nor pandas is imported, and pickles may be forbidden."""
    package(saved(tmp_path, graphs.linear()), FRAME, tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path / "out")],
        env={"PYTHONPATH": str(SERVING)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert orjson.loads(done.stdout.splitlines()[0]) == [14.0]
    assert done.stdout.splitlines()[1] == "set()"
