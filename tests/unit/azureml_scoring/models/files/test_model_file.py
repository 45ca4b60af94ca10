"""Whoever deploys decides what may be loaded, never the artifact."""

import functools
import json
import pickle
import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
import yaml
from click.testing import CliRunner
from scripted import leave_note
from sklearn.ensemble import RandomForestClassifier
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
    assert refused.exit_code == 1
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


CHECKSUM = 12
"""Bytes that end a compressed file; joblib is content with the model before them."""


def saved_in_each_way(folder: Path) -> list[Path]:
    """A forest, so that there are arrays in the middle, too."""
    X, y = support.diabetes()
    forest = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    files = [
        folder / name for name in ("a.joblib", "b.pkl.gz", "c.z", "d.pickle", "e.skops", "f.pkl")
    ]
    for file in files[:3]:
        joblib.dump(forest, file)
    files[3].write_bytes(pickle.dumps(forest, protocol=2))
    skops.io.dump(forest, files[4])
    files[5].write_bytes(pickle.dumps(forest))
    return files


def ends_by_chance(pickled: bytes) -> set[int]:
    """Return the lengths at which a pickle, cut off, ends like a whole one."""
    return {place + 1 for place, byte in enumerate(pickled) if byte == ord(".")}


def test_a_file_that_was_cut_off_is_damaged_or_incomplete(tmp_path: Path):
    """Wherever it was: each way to save a model, at some 60 places."""
    for file in saved_in_each_way(tmp_path):
        whole = file.read_bytes()
        assert from_(file, scoring_skops_trusted_types="sklearn.tree._tree.Tree").name
        for end in {
            0,
            1,
            2,
            10,
            len(whole) - CHECKSUM,
            *range(3, len(whole), len(whole) // 60),
        } - ends_by_chance(whole):
            file.write_bytes(whole[:end])
            with pytest.raises(StartupError, match=f"{file.name} is damaged or incomplete"):
                from_(file)


def test_a_pointer_of_git_lfs_is_told(tmp_path: Path):
    """A checkout without LFS holds a pointer in the model's place."""
    (tmp_path / "m.pkl").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    )
    with pytest.raises(
        StartupError, match=r"m\.pkl is a pointer of Git LFS, not the model; run `git lfs pull`"
    ):
        from_(tmp_path / "m.pkl")


def test_a_whole_file_that_takes_too_much_memory_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The remedy is another one."""

    def full(file: object) -> None:
        raise MemoryError

    file = support.dump(support.demo_estimator(), tmp_path)
    monkeypatch.setattr(joblib, "load", full)
    with pytest.raises(
        StartupError,
        match=r"model\.joblib takes more memory than there is; give the container more",
    ):
        from_(file)


class Old(LinearRegression):
    """A pickle of an older scikit-learn: it names its version and classes that have moved."""

    version = "0.22.1"
    change = "sklearn.linear_model.base"

    def __reduce__(self) -> tuple[object, ...]:
        state = {"coef_": np.zeros(2000), "_sklearn_version": self.version}
        return _made, (), state


def _made() -> LinearRegression:
    raise ValueError("node array from the pickle has an incompatible dtype")


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        ("0.22.1", ", for no version that serves here reads it."),
        ("1.2.2", ", for no version that serves here reads it."),
        ("1.6.0", ", or install scikit-learn 1.6.0."),
    ],
)
@pytest.mark.parametrize("way", ["joblib", "zlib", "gzip", "bz2", "xz", 0, 2, 5])
def test_a_pickle_of_another_scikit_learn_names_both_versions_and_the_way_out(
    version: str, way_out: str, way: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Read off the pickle that can't be loaded, in each protocol."""
    monkeypatch.setattr(Old, "version", version)
    file = tmp_path / "m.pkl"
    if isinstance(way, int):
        file.write_bytes(pickle.dumps(Old(), protocol=way))
    else:
        joblib.dump(Old(), file, compress=0 if way == "joblib" else (str(way), 3))
    running = sklearn.__version__
    with pytest.raises(StartupError) as caught:
        from_(file)
    assert str(caught.value) == (
        "m.pkl can't be loaded (ValueError: node array from the pickle has an incompatible dtype); "
        "it was saved with "
        f"scikit-learn {version} and {running} runs here: train and save it again with "
        f"{running}{way_out}"
    )


def test_a_module_that_scikit_learn_has_moved_is_not_to_be_installed(tmp_path: Path):
    """It is a matter of versions, too."""
    (tmp_path / "m.pkl").write_bytes(
        b"csklearn.linear_model.base\nLinearRegression\n(V_sklearn_version\nV0.22.1\n."
    )
    with pytest.raises(
        StartupError,
        match=r"No module named 'sklearn\.linear_model\.base'.*saved with scikit-learn 0\.22\.1",
    ):
        from_(tmp_path / "m.pkl")


def test_a_model_that_loads_and_then_fails_names_both_versions(tmp_path: Path):
    """An older model's attributes may have changed since."""
    state = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]).__getstate__() | {
        "_sklearn_version": "1.6.0"
    }
    del state["coef_"]
    reduced = type("Reduced", (), {"__reduce__": lambda self: (LinearRegression, (), state)})
    joblib.dump(reduced(), tmp_path / "m.pkl")
    with pytest.raises(
        StartupError,
        match=r"AttributeError: .*coef_.*saved with scikit-learn 1\.6\.0 and .*, or install "
        r"scikit-learn 1\.6\.0\.$",
    ):
        from_(tmp_path / "m.pkl")
