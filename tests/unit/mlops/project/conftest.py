import shutil
from pathlib import Path

import pytest

import support
from deploy.checkout import REPOSITORY
from own_project import MODEL, NAMES, REPEATED


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncompiled: None) -> Path:
    """A folder with a model, its sample and a project file that names them."""
    monkeypatch.chdir(tmp_path)
    estimator, frame = support.mixed()
    support.dump(estimator, tmp_path, "mine.joblib")
    frame.assign(late=1, target=0).to_csv("train.csv", index=False)
    (tmp_path / "scoring.toml").write_text(MODEL + NAMES)
    return tmp_path


@pytest.fixture
def repository(here: Path) -> Path:
    """The same folder, with the files of this repository that repeat names."""
    for folder in REPEATED:
        shutil.copytree(
            REPOSITORY / folder, here / folder, ignore=shutil.ignore_patterns(".terraform*")
        )
    return here
