import shutil
from pathlib import Path

import pytest

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.artifact import find
from azureml_scoring.settings import Settings


def at(root: Path, **options: object) -> Settings:
    return Settings(azureml_model_dir=root, **options)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    "name",
    [
        "m.pkl",
        "m.joblib",
        "m.sav",
        "m.skops",
        "model/m.pkl",
        "M.PKL",
        "m.pickle",
        "m.p",
        "m.z",
        "m.gz",
        "m.pkl.gz",
        "m.v2.Z",
    ],
)
def test_one_model_is_found_there_or_one_level_down(tmp_path: Path, name: str):
    """A file upload and a folder upload both work without any setting."""
    file = touch(tmp_path / name)
    for other in ("README.md", "train.csv.gz", "code.tar.gz", "input_example.json", "notes.txt"):
        touch(tmp_path / other)
    assert find(at(tmp_path)).file == file


def test_none_fails_with_a_listing(tmp_path: Path):
    """The message shows what is there instead."""
    touch(tmp_path / "a" / "b" / "deep.pkl")
    with pytest.raises(StartupError, match=r"No model in .* Found: a, a/b, a/b/deep\.pkl\."):
        find(at(tmp_path))


def test_several_fail_with_their_names(tmp_path: Path):
    """No model is ever picked by chance."""
    touch(tmp_path / "a.pkl")
    touch(tmp_path / "b.pkl")
    with pytest.raises(
        StartupError, match=r"Several models in .*\(a\.pkl, b\.pkl\).*SCORING_MODEL_PATH"
    ):
        find(at(tmp_path))
    assert find(at(tmp_path, scoring_model_path="b.pkl")).file.name == "b.pkl"


def test_of_many_models_some_are_named(tmp_path: Path):
    """A sentence that nobody reads to its end helps nobody."""
    for number in range(50):
        touch(tmp_path / f"{number:02}.pkl")
    with pytest.raises(StartupError, match=r"\(00\.pkl, .*, 19\.pkl, \.\.\.\)"):
        find(at(tmp_path))


def test_a_model_on_top_comes_before_those_below(tmp_path: Path):
    """Subfolders may hold code or old versions."""
    file = touch(tmp_path / "a.pkl")
    touch(tmp_path / "old" / "b.pkl")
    assert find(at(tmp_path)).file == file


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(), "set AZUREML_MODEL_DIR"),
        (
            Settings(azureml_model_dir=Path("/nowhere")),
            "AZUREML_MODEL_DIR is /nowhere, which does not exist",
        ),
        (
            Settings(scoring_model_path=Path("/nowhere")),
            "SCORING_MODEL_PATH names /nowhere, which does not exist",
        ),
        (
            Settings(azureml_model_dir=Path("/" + "x" * 300)),
            r"/x+ can't be read \(File name too long\)",
        ),
    ],
)
def test_a_wrong_place_is_named(settings: Settings, message: str):
    """Each mistake gets a sentence that names the variable."""
    with pytest.raises(StartupError, match=message):
        find(settings)


def test_a_folder_that_describes_no_model_is_not_guessed_at(tmp_path: Path):
    """An explicit folder must hold a manifest or an MLmodel."""
    touch(tmp_path / "a.pkl")
    with pytest.raises(
        StartupError,
        match=r"a folder that describes no model; name the model's file, .* Found: a.pkl",
    ):
        find(Settings(scoring_model_path=tmp_path))


def test_a_packaged_folder_is_one_model(demo_model: Path, tmp_path: Path):
    """The manifest says which of the files is it, and gives name and version."""
    shutil.copytree(demo_model, tmp_path / "artifact")
    touch(tmp_path / "artifact" / "other.pkl")
    found = find(at(tmp_path))
    assert (found.file.name, found.name, found.version) == (
        "model.joblib",
        "diabetes-classifier",
        "v1.2.3",
    )


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        ("azureml-models/churn/3", "churn", "3"),
        ("azureml-models/churn/blue", "churn", "blue"),
        ("anywhere/churn/v1.2", "churn", "v1.2"),
        ("home/me/models", "diabetes-classifier", "v1.2.3"),
        ("azureml-models/f3b4ea7e-7ae3-4e3b-9f29-2a0e3b6a1c11/1", "diabetes-classifier", "v1.2.3"),
    ],
)
def test_name_and_version_come_from_the_path_then_from_the_manifest(
    demo_model: Path, tmp_path: Path, path: str, name: str, version: str
):
    """Azure ML mounts a registered model at <name>/<version>; an unregistered one has a GUID that
    says nothing."""
    shutil.copytree(demo_model, tmp_path / path)
    found = find(at(tmp_path / path))
    assert (found.name, found.version) == (name, version)
    told = find(at(tmp_path / path, model_name="told", model_version="9"))
    assert (told.name, told.version) == ("told", "9")


def test_a_bare_file_is_named_after_itself(tmp_path: Path):
    """Without any better source the file's stem is the name and the version is unknown."""
    touch(tmp_path / "churn.pkl")
    found = find(at(tmp_path))
    assert (found.name, found.version) == ("churn", "unknown")


def test_an_mlflow_folder_is_one_model(tmp_path: Path):
    """Its pickle is taken by what MLmodel says."""
    folder = tmp_path / "model"
    support.dump({}, folder, "model.pkl")
    touch(folder / "other.pkl")
    (folder / "MLmodel").write_text(
        "flavors: {sklearn: {pickled_model: model.pkl, sklearn_version: 1.0}}"
    )
    found = find(at(tmp_path))
    assert found.file == folder / "model.pkl"
    assert found.mlflow is not None


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("below/m.pmml", b"", "m.pmml is a model in PMML"),
        ("m.pt", b"", "m.pt is a neural network"),
        ("m.tar.gz", b"", "m.tar.gz is an archive; unpack it"),
        ("m.zip", b"", "m.zip is an archive; unpack it"),
    ],
)
def test_a_model_of_another_kind_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes, told: str
):
    """The file may lie in a folder without any other, or be named."""
    touch(tmp_path / name).write_bytes(content)
    for settings in (
        at(tmp_path),
        Settings(scoring_model_path=tmp_path / name),
        at(tmp_path / name),
    ):
        with pytest.raises(StartupError) as caught:
            find(settings)
        assert told in str(caught.value)
    file = touch(tmp_path / "good.pkl")
    assert find(at(tmp_path)).file == file or "/" in name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.ubj", b""),
        ("M.UBJ", b""),
        ("m.bst", b""),
        ("m.json", b'{"learner":{"attributes":{}'),
        ("below/m.txt", b"tree\nversion=v4\n"),
        ("below/m.txt", b"tree\r\nversion=v4\r\n"),
        ("m.cbm", b""),
    ],
)
def test_a_boosters_own_file_is_a_model(tmp_path: Path, name: str, content: bytes):
    """It may lie beside data of the same suffix."""
    touch(tmp_path / name).write_bytes(content)
    touch((tmp_path / name).parent / "notes.txt")
    touch((tmp_path / name).parent / "config.json").write_text('{"tree": 1}')
    assert find(at(tmp_path)).file == tmp_path / name


def test_json_and_text_that_are_no_models_are_not_taken_for_such(tmp_path: Path):
    """They lie beside many models."""
    for name in ("config.json", "notes.txt"):
        touch(tmp_path / name).write_text('{"tree": 1}')
    with pytest.raises(StartupError) as caught:
        find(at(tmp_path))
    assert "format" not in str(caught.value)


def test_the_model_dir_may_be_a_file(tmp_path: Path, demo_model: Path):
    """A bare one, or the one that describes a folder; named after where Azure mounts it."""
    file = touch(tmp_path / "azureml-models" / "churn" / "7" / "m.pkl")
    found = find(at(file))
    assert (found.file, found.name, found.version) == (file, "churn", "7")
    assert find(at(demo_model / "manifest.json")).file == demo_model / "model.joblib"


def test_two_files_may_be_two_parts(tmp_path: Path):
    """A vectorizer and its model belong into one."""
    touch(tmp_path / "model.pkl")
    touch(tmp_path / "vectorizer.pkl")
    with pytest.raises(StartupError, match="save them together as a Pipeline"):
        find(at(tmp_path))
