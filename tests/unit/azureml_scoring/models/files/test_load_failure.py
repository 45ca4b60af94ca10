"""A model that can't be loaded is described in one sentence that says what to do."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings


def from_(path: Path, **options: object) -> Model:
    return load(Settings(scoring_model_path=path, **options))


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


@pytest.mark.slow
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
    ("version", "install"),
    [("0.22.1", ""), ("1.2.2", ""), ("1.6.0", ", install scikit-learn 1.6.0")],
)
@pytest.mark.parametrize("way", ["joblib", "zlib", "gzip", "bz2", "xz", 0, 2, 5])
def test_a_pickle_of_another_scikit_learn_names_both_versions_and_the_way_out(
    version: str, install: str, way: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        f"{running}{install}, or package it with `mlops package --isolated`, after which the "
        "service needs only its compiled form."
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
        match=r"AttributeError: .*coef_.*saved with scikit-learn 1\.6\.0 and .*, install "
        r"scikit-learn 1\.6\.0, or package it with `mlops package --isolated`",
    ):
        from_(tmp_path / "m.pkl")
