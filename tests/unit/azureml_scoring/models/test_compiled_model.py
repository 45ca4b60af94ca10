"""The compiled model answers if it was proven, and the estimator otherwise."""

import hashlib
import json
import logging
import re
import shutil
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
from threadpoolctl import ThreadpoolController

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines import engines, onnx_session
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings


def from_(path: Path, **options: object) -> Model:
    return load(Settings(scoring_model_path=path, **options))


def change_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def copy(demo_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_model, tmp_path / "artifact"))


@pytest.mark.parametrize("backend", ["auto", "sklearn", "onnx"])
def test_the_compiled_model_answers_unless_told_otherwise(demo_model: Path, backend: str):
    """It gives the same answers to all methods."""
    model = from_(demo_model, scoring_backend=backend)
    assert model.backend == ("sklearn" if backend == "sklearn" else "onnx")
    rows = batch_of([support.ROW], model.contract)
    assert model.predict(rows) == [1]
    estimator = joblib.load(demo_model / "model.joblib")
    for method in model.contract.methods:
        expected = getattr(estimator, method)(support.diabetes()[0].iloc[:1])
        given = model.predict(type(rows)(support.diabetes()[0].to_numpy()[:1], method))
        np.testing.assert_allclose(given, expected, rtol=1e-5)


def test_numpys_threads_are_a_workers_share_of_the_container(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch
):
    """A container of two processors on a machine of 64 does not compute with 64 threads, which
    would hold it up."""
    numpys = ThreadpoolController().select(user_api="blas")
    with numpys.limit(limits=4):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
        from_(demo_model, worker_count=2)
        assert {library["num_threads"] for library in numpys.info()} == {1}


def test_only_a_compiled_model_that_takes_microseconds_is_quick(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch
):
    """Loading times it; a quick model runs on the event loop, without a thread."""
    quick = from_(demo_model, scoring_estimator="start").quick
    assert quick
    X = support.diabetes()[0].to_numpy()[:1]
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert quick(Batch(X, method))
    assert not quick(Batch(X * 1e200, "predict"))  # it was not proven for such numbers
    assert not from_(demo_model, scoring_backend="sklearn").quick
    monkeypatch.setattr("azureml_scoring.models.compiled_model.INLINE_PREDICT_LIMIT_S", 0.0)
    assert not from_(demo_model).quick


def test_the_backend_is_part_of_what_the_cache_knows_a_model_by(demo_model: Path):
    """Their answers differ in the last digits."""
    assert from_(demo_model).runtime != from_(demo_model, scoring_backend="sklearn").runtime


def test_onnx_that_was_not_packaged_is_not_run(copy: Path):
    """Whatever lies there in its place; SCORING_BACKEND=sklearn does without."""
    (copy / "model.onnx").write_bytes(b"other bytes")
    with pytest.raises(StartupError, match=r"model\.onnx is not the file that was packaged"):
        from_(copy)
    assert from_(copy, scoring_backend="sklearn").backend == "sklearn"
    (copy / "model.onnx").unlink()
    with pytest.raises(StartupError, match="can't be read"):
        from_(copy)


def test_onnx_that_answers_otherwise_than_when_packaged_is_left_alone(copy: Path):
    """scikit-learn answers in its place; where ONNX was insisted on, the start fails."""
    onnx = json.loads((copy / "manifest.json").read_text())["onnx"]
    change_manifest(
        copy,
        onnx=onnx | {"outputs": onnx["outputs"] | {"predict": onnx["outputs"]["predict_proba"]}},
    )
    assert from_(copy).backend == "sklearn"
    with pytest.raises(StartupError, match="answers its golden rows otherwise"):
        from_(copy, scoring_backend="onnx")


@pytest.mark.parametrize("failing", ["opened", "asked"])
def test_onnx_that_fails_leaves_the_model_to_scikit_learn(
    copy: Path, failing: str, caplog: pytest.LogCaptureFixture
):
    """The log warns; if ONNX was demanded, the start fails."""
    graph = b"no graph" if failing == "opened" else _refusing_graph(copy)
    (copy / "model.onnx").write_bytes(graph)
    manifest = json.loads((copy / "manifest.json").read_text())
    files = manifest["files"] | {"model.onnx": hashlib.sha256(graph).hexdigest()}
    change_manifest(copy, files=files, onnx=manifest["onnx"] | {"numpy": False, "race": None})
    with caplog.at_level(logging.WARNING):
        assert from_(copy).backend == "sklearn"
    assert [
        record.getMessage()
        for record in caplog.records
        if "in place of ONNX" in record.getMessage()
    ]
    with pytest.raises(StartupError, match=r"can't run the model|fails on its golden rows"):
        from_(copy, scoring_backend="onnx")


def _refusing_graph(folder: Path) -> bytes:
    """The model's, but its input is reshaped to what it is not."""
    graph = onnx.load(folder / "model.onnx")
    name = graph.graph.input[0].name
    for node in graph.graph.node:
        node.input[:] = ["reshaped" if given == name else given for given in node.input]
    graph.graph.node.insert(0, onnx.helper.make_node("Reshape", [name, "shape"], ["reshaped"]))
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array([7, 77]), "shape"))
    return bytes(graph.SerializeToString())


@pytest.mark.parametrize(("rows", "backend"), [(8_800, "onnx"), (400, "sklearn")])
def test_a_manifest_of_before_is_read(copy: Path, rows: int, backend: str):
    """It lacks what is proven now; where hardly anything was compared, scikit-learn answers."""
    known = json.loads((copy / "manifest.json").read_text())["onnx"]
    parity = {"rows": rows, "largest_difference": 0.0, "tolerance": 1e-5}
    change_manifest(
        copy,
        onnx={
            key: known[key] for key in known if key not in ("largest", "tables", "booster", "race")
        }
        | {"parity": parity},
    )
    assert from_(copy).backend == backend
    if backend == "sklearn":
        with pytest.raises(StartupError, match="compared with its estimator on 400 answers only"):
            from_(copy, scoring_backend="onnx")


def raced(copy: Path, **winners: object) -> None:
    """Write another outcome of the race into the manifest."""
    known = json.loads((copy / "manifest.json").read_text())["onnx"]
    change_manifest(copy, onnx=known | {"race": known["race"] | winners})


def test_each_engine_answers_the_batches_that_it_is_quicker_for(copy: Path):
    """The race of packaging says from how many rows on; one row and many get equal answers."""
    raced(copy, small="numpy", large="onnxruntime", large_from=3)
    model = from_(copy)
    assert re.fullmatch(
        r"numpy; onnxruntime \S+ CPUExecutionProvider from 3 rows", model.runtime["graph"]
    )
    assert model.each
    rows = batch_of([support.ROW] * 3, model.contract)
    assert model.predict(rows) == [*model.predict(rows._replace(X=rows.X[:2])), 1]


def test_a_batch_for_which_the_estimator_is_quicker_is_its_own(copy: Path):
    """The compiled model answers the smaller ones on the event loop."""
    raced(copy, small="numpy", large="estimator", large_from=3)
    model = from_(copy)
    rows = batch_of([support.ROW] * 3, model.contract)
    assert model.quick
    assert not model.quick(rows)
    assert model.quick(rows._replace(X=rows.X[:2]))
    assert model.predict(rows) == [1, 1, 1]


def test_the_compiled_model_that_is_insisted_on_answers_batches_of_any_size(copy: Path):
    """SCORING_BACKEND=onnx overrules the race."""
    raced(copy, small="numpy", large="estimator", large_from=3)
    model = from_(copy, scoring_backend="onnx")
    assert model.quick
    assert model.quick(batch_of([support.ROW] * 3, model.contract))


def test_where_the_estimator_is_quicker_for_few_rows_the_compiled_model_answers_many(copy: Path):
    """Rows of several requests are not joined then: each is the estimator's."""
    raced(copy, small="estimator", large="numpy", large_from=3)
    model = from_(copy)
    rows = batch_of([support.ROW] * 3, model.contract)
    assert model.quick
    assert model.quick(rows)
    assert not model.quick(rows._replace(X=rows.X[:2]))
    assert not model.each


def test_an_engine_for_large_batches_answers_the_golden_rows_at_start_too(
    copy: Path, monkeypatch: pytest.MonkeyPatch
):
    """If it answers otherwise than at packaging, scikit-learn serves."""
    raced(copy, small="onnxruntime", large="numpy", large_from=1000)

    class Otherwise:
        def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.zeros((len(inputs["X"]), 2))]

    monkeypatch.setattr(engines.NumpyGraph, "of", lambda graph: Otherwise())
    assert from_(copy).backend == "sklearn"


def test_onnx_that_is_not_there_but_insisted_on_stops_the_start(tmp_path: Path):
    """The error says how to get it."""
    estimator, _ = support.plain_regression()
    with pytest.raises(StartupError, match="no proven ONNX beside it; package the model again"):
        from_(support.dump(estimator, tmp_path), scoring_backend="onnx")


def test_a_gpu_that_would_compute_nothing_stops_the_start(
    demo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It stops even if scikit-learn would answer: a GPU costs money."""
    monkeypatch.setitem(
        onnx_session.PROVIDERS, "cuda", "AzureExecutionProvider"
    )  # which takes no node
    with pytest.raises(StartupError, match="no part of this model can run there"):
        from_(demo_model, scoring_onnx_provider="cuda")
    estimator, _ = support.plain_regression()
    with pytest.raises(
        StartupError, match=r"SCORING_ONNX_PROVIDER=cuda, but model\.joblib has no proven ONNX"
    ):
        from_(support.dump(estimator, tmp_path), scoring_onnx_provider="cuda")


@pytest.mark.parametrize("rows", [None, "9000", True, 8_800.5])
def test_a_proof_that_is_damaged_stops_the_start(copy: Path, rows: object):
    """How many answers were compared decides who answers."""
    onnx = json.loads((copy / "manifest.json").read_text())["onnx"]
    onnx["parity"] = {"tolerance": 1e-5, "largest_difference": 0.0} | (
        {} if rows is None else {"rows": rows}
    )
    change_manifest(copy, onnx=onnx)
    with pytest.raises(StartupError, match="damaged"):
        from_(copy)
