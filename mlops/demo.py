"""The demo model: will a patient's diabetes progress more than the median?

scikit-learn ships the data.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import FILE_NAME, Manifest
from mlops.artifact_folder import check_out
from mlops.package import package
from mlops.say import Say

NAME = "diabetes-classifier"


def check(out: Path, *, force: bool) -> None:
    """Raise StartupError if the folder ``out`` holds anything but a demo."""
    check_out(out, force)
    if (out / FILE_NAME).exists() and (name := Manifest.read(out).model_name) != NAME:
        raise StartupError(
            f"{out} holds the model {name}, which is not the demo's; name another folder."
        )


def make(out: Path, *, version: str, force: bool, say: Say) -> Manifest:
    """Train and package the demo model. Raises StartupError."""
    check(out, force=force)
    say("Training on scikit-learn's diabetes data: 442 patients, 10 features")
    data = load_diabetes(as_frame=True, scaled=False)
    above_median = (data.target > data.target.median()).astype(int)
    estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(
        data.data, above_median
    )
    say(f"  accuracy on the training data: {estimator.score(data.data, above_median):.2f}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.joblib"
        joblib.dump(estimator, file)
        return package(
            file,
            data.data,
            out,
            name=NAME,
            version=version,
            force=force,
            golden_rows="sample",
            say=say,
        )
