"""An artifact is replaced only by force, and other files never are."""

from pathlib import Path

import pytest

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import Manifest
from mlops.package import package


def test_an_artifact_is_replaced_only_if_forced(tmp_path: Path):
    """The message says how."""
    estimator, frame = support.plain_regression()
    file, out = support.dump(estimator, tmp_path), tmp_path / "out"
    package(file, frame, out)
    with pytest.raises(StartupError, match=r"exists and is not empty.*--force"):
        package(file, frame, out)
    package(file, frame, out, force=True, version="2")
    assert Manifest.read(out).model_version == "2"


@pytest.mark.parametrize("artifact", [False, True])
def test_other_files_are_never_removed(tmp_path: Path, artifact: bool):
    """Not even --force removes them: a wrong --out costs nothing."""
    estimator, frame = support.plain_regression()
    file, out = support.dump(estimator, tmp_path), tmp_path / "out"
    if artifact:
        package(file, frame, out)
    out.mkdir(exist_ok=True)
    (out / "precious").touch()
    with pytest.raises(StartupError, match="holds more than an artifact"):
        package(file, frame, out, force=True)
    assert (out / "precious").exists()
