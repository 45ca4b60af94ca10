"""Whoever deploys decides what may be loaded, never the artifact."""

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from click.testing import CliRunner
from scripted import leave_note
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.cli import main
from mlops.exit_status import ExitStatus
from mlops.package import package
from places import DATA

FRAME = pd.DataFrame({"a": [1.0, 2.0, 4.0]})
TYPES = ["functools.partial", "scripted.leave_note"]


def from_(path: Path, **options: object) -> Model:
    return load(Settings(scoring_model_path=path, **options))


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Is there once the attacker's code has run."""
    monkeypatch.setenv("NOTE", str(tmp_path / "note"))
    return tmp_path / "note"


@pytest.fixture
def attack(note: Path, tmp_path: Path) -> Path:
    """A skops file that runs a function of the attacker's choice as soon as it is tried."""
    chosen = FunctionTransformer(functools.partial(leave_note))
    estimator = make_pipeline(chosen, LinearRegression()).fit(FRAME.to_numpy(), [1.0, 2.0, 4.0])
    note.unlink()
    file = tmp_path / "raw" / "model.skops"
    file.parent.mkdir()
    skops.io.dump(estimator, file)
    return file


def test_types_that_nobody_named_are_refused(attack: Path, note: Path):
    """The sentence names them, and the setting that would permit them."""
    with pytest.raises(
        StartupError, match=r"does not trust \(functools\.partial, scripted\.leave_note\)"
    ) as caught:
        from_(attack)
    assert f"set SCORING_SKOPS_TRUSTED_TYPES={','.join(TYPES)} " in str(caught.value)
    assert not note.exists()


@pytest.mark.parametrize(
    "named", ["functools.partial, scripted.leave_note", "scripted.leave_note,functools.partial,a.B"]
)
def test_types_that_the_setting_names_are_loaded(attack: Path, named: str):
    """It is set by whoever deploys."""
    assert from_(attack, scoring_skops_trusted_types=named).name == "model"
    with pytest.raises(StartupError, match=r"does not trust \(scripted\.leave_note\)"):
        from_(attack, scoring_skops_trusted_types="functools.partial")


def test_an_mlflow_folder_permits_its_own_types_in_no_way(attack: Path, note: Path, tmp_path: Path):
    """Whoever made the folder wrote its MLmodel's list of trusted types."""
    folder = tmp_path / "mlflow"
    shutil.copytree(DATA / "mlflow-skops", folder)
    shutil.copy(attack, folder)
    document = yaml.safe_load((folder / "MLmodel").read_text()) | {"signature": None}
    document["flavors"]["sklearn"]["skops_trusted_types"] = TYPES
    (folder / "MLmodel").write_text(yaml.safe_dump(document))
    with pytest.raises(StartupError, match="types that skops does not trust"):
        from_(folder)
    with pytest.raises(StartupError, match="types that skops does not trust"):
        package(folder, FRAME, tmp_path / "out")
    assert not note.exists()


def test_packaging_asks_for_each_type_and_shows_the_command(
    attack: Path, note: Path, tmp_path: Path
):
    """One sentence; obeyed, it packages, and says what serving needs."""
    FRAME.to_csv(tmp_path / "sample.csv", index=False)
    words = [
        "package",
        str(attack),
        "--sample",
        str(tmp_path / "sample.csv"),
        "--out",
        str(tmp_path / "out"),
    ]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == ExitStatus.UNUSABLE
    assert (
        f"--out {tmp_path / 'out'} --trust functools.partial --trust scripted.leave_note`."
        in refused.output
    )
    assert not note.exists()
    assert not (tmp_path / "out").exists()
    half = CliRunner().invoke(main, [*words, "--trust", "functools.partial"])
    assert "--trust functools.partial --trust scripted.leave_note`." in half.output
    done = CliRunner().invoke(
        main, [*words, "--trust", "functools.partial", "--trust", "scripted.leave_note"]
    )
    assert done.exit_code == 0, done.output
    assert f"Serve it: SCORING_SKOPS_TRUSTED_TYPES={','.join(TYPES)} mlops serve" in done.output


def test_a_manifest_vouches_for_nothing(attack: Path, note: Path, tmp_path: Path):
    """Whoever can write the model can write the manifest, so a packaged model needs the setting
    too."""
    package(attack, FRAME, tmp_path / "out", trust=TYPES)
    note.unlink()
    manifest = tmp_path / "out" / "manifest.json"
    forged = json.loads(manifest.read_text()) | {"trusted_types": TYPES, "trust": TYPES}
    for document in (json.loads(manifest.read_text()), forged):
        manifest.write_text(json.dumps(document))
        with pytest.raises(StartupError):
            from_(tmp_path / "out")
        assert not note.exists()
    package(attack, FRAME, tmp_path / "again", trust=TYPES)
    served = from_(tmp_path / "again", scoring_skops_trusted_types=",".join(TYPES))
    assert served.predict(batch_of([[2.0]], served.contract)) == pytest.approx([2.0])


def test_pickles_can_be_forbidden(demo_model: Path, note: Path, tmp_path: Path):
    """They are refused before loading, packaged or not; a skops file is loaded."""
    pickled = support.scripted(tmp_path / "m", "Noted") / "model.joblib"
    for path in (pickled, demo_model):
        with pytest.raises(
            StartupError, match=r"is a pickle, which SCORING_ALLOW_PICKLE=false forbids"
        ):
            from_(path, scoring_allow_pickle=False)
    assert not note.exists()
    assert from_(DATA / "mlflow-skops", scoring_allow_pickle=False).name == "mlflow-skops"


def test_the_suffix_alone_does_not_make_a_pickle_a_skops_file(note: Path, tmp_path: Path):
    """A pickle under the name of one is not loaded as a pickle."""
    file = support.scripted(tmp_path / "m", "Noted") / "model.joblib"
    renamed = file.rename(file.with_suffix(".skops"))
    with pytest.raises(StartupError, match=r"model\.skops is damaged or incomplete"):
        from_(renamed, scoring_allow_pickle=False)
    assert not note.exists()
    assert np.isfinite(from_(DATA / "mlflow-skops").warmup_ms)
