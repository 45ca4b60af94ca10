import json
import pickle
import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from threadpoolctl import threadpool_info

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from places import DATA


def from_(path: Path, **options: object) -> Model:
    return load(Settings(scoring_model_path=path, **options))


def change_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def copy(demo_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_model, tmp_path / "artifact"))


def test_a_packaged_model_is_loaded_verified_and_tried(demo_model: Path):
    """Ready means that it answered its golden rows."""
    model = from_(demo_model)
    assert (model.name, model.version, model.golden_rows, model.version_skew) == (
        "diabetes-classifier",
        "v1.2.3",
        10,
        (),
    )
    assert model.predict(batch_of([support.ROW], model.contract)) == [1]
    assert {*model.answers} == {*model.contract.methods}


def test_nothing_unverified_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A tampered file is refused before a byte of it runs."""
    note = tmp_path / "note"
    monkeypatch.setenv("NOTE", str(note))
    folder = support.scripted(tmp_path / "m", "Noted")
    from_(folder / "model.joblib")
    assert note.exists()  # unpickling does leave the note
    _, frame = support.plain_regression()
    artifact = support.packaged(LinearRegression().fit(frame, [1.0] * 6), frame, tmp_path / "p")
    shutil.copyfile(folder / "model.joblib", artifact / "model.joblib")
    note.unlink()
    with pytest.raises(StartupError, match="its sha256 differs"):
        from_(artifact)
    assert not note.exists()


def test_a_manifest_can_be_demanded(tmp_path: Path):
    """SCORING_REQUIRE_MANIFEST refuses a bare pickle, and says how to package it."""
    file = support.dump(support.demo_estimator(), tmp_path)
    assert from_(file).golden_rows == 0
    with pytest.raises(StartupError, match=r"has no manifest .* `mlops package"):
        from_(file, scoring_require_manifest=True)


def test_version_skew_is_shown_and_can_be_fatal(copy: Path):
    """The manifest shows it before the file is unpickled."""
    versions = json.loads((copy / "manifest.json").read_text())["versions"]
    change_manifest(copy, versions=versions | {"scikit-learn": "1.2.0"})
    assert from_(copy).version_skew == (
        f"scikit-learn: saved with 1.2.0, running {versions['scikit-learn']}",
    )
    with pytest.raises(
        StartupError, match=r"saved with other versions \(scikit-learn: saved with 1\.2\.0"
    ):
        from_(copy, scoring_fail_on_version_skew=True)


def test_scikit_learns_own_warning_is_skew_too(tmp_path: Path):
    """A bare pickle shows its version only while it is read."""

    class Aged(LinearRegression):
        def __getstate__(self) -> dict[str, object]:
            return super().__getstate__() | {"_sklearn_version": "0.24.2"}

        def __reduce__(self) -> tuple[object, ...]:
            return LinearRegression, (), self.__getstate__()

    file = support.dump(Aged().fit([[1.0], [2.0]], [1.0, 2.0]), tmp_path)
    assert [line.partition(",")[0] for line in from_(file).version_skew] == [
        "scikit-learn: saved with 0.24.2"
    ]
    with pytest.raises(StartupError, match="saved with other versions"):
        from_(file, scoring_fail_on_version_skew=True)


@pytest.mark.parametrize("protocol", ["joblib", "pickle", "compressed"])
def test_each_way_to_pickle_is_read(tmp_path: Path, protocol: str):
    """joblib with and without compression, and pickle itself."""
    model, _ = support.plain_regression()
    file = tmp_path / "model.pkl"
    if protocol == "pickle":
        file.write_bytes(pickle.dumps(model))
    else:
        joblib.dump(model, file, compress=3 if protocol == "compressed" else 0)
    assert from_(file).predict(batch_of([[1.0, 2.0]], from_(file).contract)) == pytest.approx([3.0])


@pytest.mark.parametrize("folder", ["mlflow-skops", "mlflow-tensor"])
def test_a_folder_of_mlflow_is_served_without_mlflow(folder: str):
    """MLflow 3 writes it with skops; its signature is the contract."""
    model = from_(DATA / folder)
    assert model.predict(batch_of([support.ROW], model.contract)) == [1]
    assert model.contract.names == (tuple(support.NAMES) if folder == "mlflow-skops" else None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged or incomplete"),
        (b"not a pickle", "is damaged or incomplete"),
        (
            b"cno_such_module\nModel\n.",
            "needs the Python module no_such_module, which is not installed",
        ),
        (
            b"cno_such_module.inner\nModel\n.",
            "if no_such_module is a module of your own, put its source beside score.py or package",
        ),
        (b"cskopt.inner\nModel\n.", "`make lock ADD=scikit-optimize`"),
        (b'{"rows": [[1]]}', r"no model that can be loaded; save"),
        (b"corjson.no_such\nModel\n.", "can't be loaded .ModuleNotFoundError"),
        (
            b"c__main__\nMine\n.",
            "needs Mine, which the notebook or script that saved the model defined",
        ),
        (b"csklearn.linear_model\nNoSuchModel\n.", "can't be loaded"),
    ],
)
def test_a_file_that_is_no_model_says_what_to_do(tmp_path: Path, content: bytes, message: str):
    """One sentence says it, whatever unpickling raises."""
    (tmp_path / "model.pkl").write_bytes(content)
    with pytest.raises(StartupError, match=message):
        from_(tmp_path / "model.pkl")


def test_no_package_is_named_for_a_module_that_may_be_the_users(tmp_path: Path):
    """Anybody may have registered a package of that name."""
    (tmp_path / "model.pkl").write_bytes(b"cutils_of_mine.inner\nModel\n.")
    with pytest.raises(StartupError, match=r"`make lock ADD=PACKAGE`") as caught:
        from_(tmp_path / "model.pkl")
    assert "utils-of-mine" not in str(caught.value)
    assert "ADD=utils" not in str(caught.value)


def test_a_file_beside_a_manifest_is_not_loaded_past_it(copy: Path):
    """Naming another file in a packaged folder does not get around the verification."""
    shutil.copy(copy / "model.joblib", copy / "other.joblib")
    with pytest.raises(StartupError, match=r"other\.joblib is not in the manifest"):
        from_(copy / "other.joblib")


def test_a_file_that_is_gone_is_named(copy: Path):
    """Half an upload leaves such a folder."""
    (copy / "model.joblib").unlink()
    with pytest.raises(
        StartupError, match=r"model\.joblib can't be read \(No such file or directory\)"
    ):
        from_(copy)


def test_a_model_without_golden_rows_is_warmed_up_with_zeros(tmp_path: Path):
    """Its first request is not the slow one, and its first refusal is known for what it is."""
    from scripted import Scripted

    from azureml_scoring.errors import ModelRefusedInput

    model = from_(support.dump(Scripted(), tmp_path))
    huge = batch_of([[1e300]], model.contract)  # time.sleep(1e300) raises OverflowError
    with pytest.raises(ModelRefusedInput):
        model.predict(huge)
    assert np.isfinite(model.warmup_ms)
    assert [*model.answers] == ["predict"]


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_model_is_known_to_answer_with_numbers_before_it_takes_requests(
    tmp_path: Path, broken: bool, packed: bool
):
    """If it never did, the model is to blame for NaN; otherwise the row is."""
    estimator, frame = support.plain_regression()
    if broken:
        estimator.intercept_ = np.nan
    folder = (
        support.packaged(estimator, frame, tmp_path)
        if packed
        else support.dump(estimator, tmp_path).parent
    )
    assert load(Settings(azureml_model_dir=folder)).proven is not broken


def test_scores_at_once_are_tried_unless_they_need_no_slot(demo_model: Path):
    """A quick model runs on the event loop; any other one gets its slots from the trial."""
    assert from_(demo_model).concurrency is None
    tried = from_(demo_model, scoring_backend="sklearn").concurrency
    assert tried
    assert tried.slots >= 1
    assert tried.reason


def test_no_two_scores_are_tried_at_once_where_a_setting_has_the_slots(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch
):
    """Who sets one slot for a model that crashes beside another score can start it."""
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    tried = from_(demo_model, scoring_backend="sklearn", scoring_slots=1).concurrency
    assert tried
    assert tried.kind == "not tried"


@pytest.mark.parametrize("slots", [1, 48])
def test_libraries_get_the_threads_that_slots_leave(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch, slots: int
):
    """Slots times threads are the processors, whether a trial or a setting chose the slots."""
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    model = from_(demo_model, scoring_backend="sklearn", scoring_slots=slots)
    model.predict(batch_of([support.ROW], model.contract))
    limits = {library["num_threads"] for library in threadpool_info()}
    assert limits == {max(1, 4 // slots)}
