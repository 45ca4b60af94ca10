"""With which packages a model was saved is read off its files, without unpickling it."""

import pickle
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import artifact
from azureml_scoring.settings import Settings
from mlflow_folder import mlflow
from mlops.isolated.saved_with import SavedWith, saved_with
from mlops.say import silent


def of(path: Path, requirements: Path | None = None, own: tuple[str, ...] = ()) -> SavedWith:
    return saved_with(artifact.find(Settings(scoring_model_path=path)), requirements, own, silent)


def saved_by(version: str, folder: Path) -> Path:
    """A pickle that says it is of this version."""
    estimator = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    folder.mkdir(exist_ok=True)
    state = estimator.__getstate__() | {"_sklearn_version": version}
    reduced = type("Reduced", (), {"__reduce__": lambda self: (LinearRegression, (), state)})
    file = folder / "model.joblib"
    joblib.dump(reduced(), file)
    return file


@pytest.mark.parametrize(("version", "numpy"), [("1.1.3", "<2"), ("1.4.1", "<2"), ("1.6.0", "")])
def test_a_pickle_says_its_scikit_learn(version: str, numpy: str, tmp_path: Path):
    """Which numpy goes with it follows."""
    saved = of(saved_by(version, tmp_path))
    expected = {"scikit-learn": f"=={version}", "numpy": numpy, "pandas": "<3"}
    assert saved.packages == expected
    assert saved.python is None
    assert saved.source == "model.joblib"


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_packages_of_its_classes_are_needed(protocol: int, tmp_path: Path):
    """Of those whose module says which package it is; modules of --code are not."""
    from imblearn.under_sampling import RandomUnderSampler

    file = tmp_path / "model.pkl"
    file.write_bytes(
        pickle.dumps(make_pipeline(RandomUnderSampler(), LinearRegression()), protocol)
    )
    assert "imbalanced-learn" in of(file).packages
    assert "imbalanced-learn" not in of(file, own=("imblearn",)).packages


def test_the_users_file_comes_first(tmp_path: Path):
    """Also for Python; what it does not name is read off the pickle."""
    listed = tmp_path / "old.txt"
    listed.write_text("numpy==1.23.5\npython==3.9\n")
    saved = of(saved_by("1.1.3", tmp_path / "m"), listed)
    assert saved.packages["numpy"] == "==1.23.5"
    assert saved.packages["scikit-learn"] == "==1.1.3"
    assert saved.python == "3.9"
    assert saved.source == "old.txt and model.joblib"


@pytest.mark.parametrize("files", ["requirements.txt", "conda.yaml"])
def test_mlflows_files_are_read(files: str, tmp_path: Path):
    """MLflow itself is not installed: no model needs it."""
    folder = mlflow(saved_by("1.1.3", tmp_path).parent, [{"type": "double"}])
    lines = ["mlflow==2.1.1", "scikit-learn==1.1.2", "numpy==1.23.5"]
    if files == "requirements.txt":
        (folder / files).write_text("\n".join(lines))
        (folder / "python_env.yaml").write_text("python: 3.9.16\n")
    else:
        pip = "\n".join(f"      - {line}" for line in lines)
        (folder / files).write_text(f"dependencies:\n  - python=3.9.16\n  - pip:\n{pip}\n")
    saved = of(folder)
    assert saved.lines == ["numpy==1.23.5", "pandas<3", "scikit-learn==1.1.2"]
    assert saved.python == "3.9"
    assert saved.source == f"MLflow's {files}"


def test_a_pickle_that_says_nothing_is_refused(tmp_path: Path):
    """The sentence says where to name it."""
    file = support.dump({"a": 1}, tmp_path)
    with pytest.raises(StartupError, match=r"which scikit-learn saved it; name it by --requir"):
        of(file)
