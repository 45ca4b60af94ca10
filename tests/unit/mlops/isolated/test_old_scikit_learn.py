"""A model of an old scikit-learn is packaged and served like a new one."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models import golden_check
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops import sample_file
from mlops.isolated import environments
from mlops.isolated.saved_with import SavedWith
from mlops.package import package
from mlops.say import silent
from places import REPOSITORY

SAVED = SavedWith({"numpy": "<2", "pandas": "<3", "scikit-learn": "==1.1.3"}, None, "model.joblib")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_forest_on_mixed_columns_of_2022(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Trees, encoders and imputers of 1.1.3, none of which loads today; the environment is made
    for packaging, and again none is needed where it is served."""
    monkeypatch.setattr(environments, "_cache", lambda: tmp_path / "cache")
    try:
        python = environments.environment(SAVED, silent)
    except StartupError as error:
        pytest.skip(str(error))
    script = REPOSITORY / "tests" / "old_models.py"
    subprocess.run([python, script, "mixed-forest", tmp_path], check=True)
    sample = sample_file.load(tmp_path / "sample.json")
    artifact, lines = tmp_path / "artifact", list[str]()
    package(tmp_path / "model.joblib", sample, artifact, isolated=True, say=lines.append)
    assert any(line.startswith("Its environment is there already") for line in lines)
    origin = Manifest.read(artifact).origin
    assert origin
    assert origin.packages["scikit-learn"] == "1.1.3"
    served = load(Settings(scoring_model_path=artifact, scoring_allow_pickle=False))
    rows = [[*row.values()] for row in json.loads((tmp_path / "sample.json").read_text())]
    X = golden_check.batch_of(rows, served.contract).X
    answers = json.loads((tmp_path / "answers.json").read_text())
    assert served.predict(Batch(X, "predict")) == answers["predict"]
    np.testing.assert_allclose(
        served.predict(Batch(X, "predict_proba")), answers["predict_proba"], atol=1e-5
    )
