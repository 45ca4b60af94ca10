"""A model that another environment answers for is packaged, and served without its pickle.

Here the running Python is that environment, so that nothing has to be installed.
"""

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

import support
from azureml_scoring.errors import ModelRefusedInput, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models import golden_check
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops import package as package_module
from mlops.isolated import model as isolated
from mlops.package import package

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def _running_python() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolated, "environment", lambda saved, say: Path(sys.executable))
        yield


@pytest.fixture(scope="module")
def mixed_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model on mixed columns, packaged once: its process takes seconds to start."""
    artifact, _ = packaged(*support.mixed(), tmp_path_factory.mktemp("mixed"))
    return artifact


@pytest.fixture(scope="module")
def plain_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    artifact, _ = packaged(*support.plain_regression(), tmp_path_factory.mktemp("plain"))
    return artifact


def packaged(estimator: Any, sample: pd.DataFrame, folder: Path) -> tuple[Path, list[str]]:
    lines = list[str]()
    artifact = support.packaged(estimator, sample, folder, isolated=True, say=lines.append)
    return artifact, lines


def check_alike(artifact: Path, estimator: Any, rows: pd.DataFrame) -> None:
    """Compare every method that is offered."""
    served = load(Settings(scoring_model_path=artifact, scoring_allow_pickle=False))
    X = golden_check.batch_of(
        rows.astype(object).where(rows.notna(), None).values.tolist(), served.contract
    ).X
    for method in served.contract.methods:
        answers = np.array(served.predict(Batch(X, method)))
        expected = getattr(estimator, method)(rows)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(answers, expected)


def test_a_model_of_numbers_needs_no_pickle_where_it_is_served(tmp_path: Path):
    """The manifest says what it was compiled from; pickles may be forbidden."""
    X, _ = support.diabetes()
    estimator = support.demo_estimator()
    artifact, _ = packaged(estimator, X, tmp_path)
    assert sorted(file.name for file in artifact.iterdir()) == ["manifest.json", "model.onnx"]
    origin = Manifest.read(artifact).origin
    assert origin
    assert origin.file == "model.joblib"
    assert origin.packages["numpy"] == np.__version__
    check_alike(artifact, estimator, X)


def test_an_interrupt_while_the_pickle_is_read_ends_packaging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C is not taken for a pickle that can't be read."""

    def interrupted(file: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(isolated.old_pickle, "read", interrupted)
    X, _ = support.diabetes()
    with pytest.raises(KeyboardInterrupt):
        packaged(support.demo_estimator(), X, tmp_path)


def test_mixed_columns_become_tables(mixed_artifact: Path):
    """The encoders are asked in the other process."""
    check_alike(mixed_artifact, *support.mixed())


def test_trees_are_compiled(tmp_path: Path):
    """Probabilities as well as labels."""
    X, y = support.diabetes()
    estimator = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X.to_numpy(), y)
    artifact, _ = packaged(estimator, X.set_axis(range(10), axis=1), tmp_path)
    check_alike(artifact, estimator, X.set_axis(range(10), axis=1))


def test_a_method_that_is_not_compiled_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Packaging says so; the contract has the others."""
    compiled_form = package_module.compiled_form

    def of_predict_alone(*arguments: Any, **options: Any) -> Any:
        compiled, files = compiled_form(*arguments, **options)
        outputs = {"predict": compiled.outputs["predict"]}
        return dataclasses.replace(compiled, outputs=outputs), files

    monkeypatch.setattr(package_module, "compiled_form", of_predict_alone)
    estimator, frame = support.mixed()
    artifact, lines = packaged(estimator, frame, tmp_path)
    assert Manifest.read(artifact).contract.methods == ("predict",)
    assert "  note: predict_proba is not compiled, and so not offered" in lines
    check_alike(artifact, estimator, frame)


def test_what_only_the_estimator_could_answer_is_refused(mixed_artifact: Path):
    """An unknown category is the estimator's to refuse, and it is not there."""
    served = load(Settings(scoring_model_path=mixed_artifact))
    row = np.array([[50.0, "Atlantis", True, 1]], dtype=object)
    with pytest.raises(ModelRefusedInput, match=r"its estimator \(of scikit-learn .*\) is not in"):
        served.predict(Batch(row, "predict"))


def test_the_service_does_not_fall_back_to_an_estimator(plain_artifact: Path):
    """A setting that asks for it stops the start."""
    with pytest.raises(StartupError, match="holds only the compiled form of its model; remove"):
        load(Settings(scoring_model_path=plain_artifact, scoring_backend="sklearn"))


def test_a_damaged_compiled_form_stops_the_start(plain_artifact: Path, tmp_path: Path):
    """There is nothing else to answer with."""
    artifact = shutil.copytree(plain_artifact, tmp_path / "artifact")
    (artifact / "model.onnx").write_bytes(b"other")
    with pytest.raises(StartupError, match=r"model\.onnx is not the file that was packaged"):
        load(Settings(scoring_model_path=artifact))


def test_a_model_that_is_not_compiled_is_refused(tmp_path: Path):
    """The sentence says which environment serves it."""
    estimator = DummyClassifier(strategy="uniform").fit([[1.0], [2.0]] * 20, [0, 1] * 20)
    with pytest.raises(
        StartupError, match=r"is not compiled .* install scikit-learn .* `mlops env"
    ):
        packaged(estimator, pd.DataFrame([[1.0], [2.0]] * 20), tmp_path)


def test_only_a_pickle_is_isolated(tmp_path: Path):
    """Another file has no environment."""
    import skops.io

    skops.io.dump(LinearRegression().fit([[1.0], [2.0]], [1, 2]), tmp_path / "model.skops")
    with pytest.raises(StartupError, match=r"--isolated is for pickles, and model\.skops is none"):
        package(tmp_path / "model.skops", pd.DataFrame([[1.0]]), tmp_path / "out", isolated=True)


def test_what_was_compiled_is_not_packaged_again(tmp_path: Path):
    """The pickle is not in it."""
    estimator, sample = support.plain_regression()
    artifact, _ = packaged(estimator, sample, tmp_path)
    with pytest.raises(StartupError, match=r"only what was compiled of model\.joblib; package"):
        package(artifact, sample, tmp_path / "again")
