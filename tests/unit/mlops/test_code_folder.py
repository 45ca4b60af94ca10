"""--code takes the modules of a folder, and nothing that only happens to lie there."""

from pathlib import Path

import pytest

from azureml_scoring.errors import StartupError
from mlops import code_folder
from mlops.code_folder import of_folders


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_sources_and_the_data_of_packages_are_taken(tmp_path: Path):
    """Data that lies beside scripts may be people's."""
    fill(tmp_path, "own_steps.py", "train.csv", "model.joblib", "own/__init__.py", "own/words.txt")
    fill(tmp_path, "own/deep/er.py", "own/deep/table.csv", "loose/own_more.py", "loose/rows.csv")
    assert {*of_folders([tmp_path])} == {
        "own_steps.py", "own/__init__.py", "own/words.txt", "own/deep/er.py",
        "own/deep/table.csv", "loose/own_more.py",
    }  # fmt: skip


def test_caches_tests_environments_and_hidden_files_are_left_out(tmp_path: Path):
    """No part of a model is in them."""
    fill(tmp_path, "own/__init__.py", "own/__pycache__/a.pyc", "own/.secret", ".git/hooks/a.py")
    fill(tmp_path, "tests/a.py", "own/tests/a.py", "test_own.py", "conftest.py", "own/own_test.py")
    fill(tmp_path, "env/pyvenv.cfg", "env/lib/a.py", "build/lib/a.py", "node_modules/a.py")
    assert {*of_folders([tmp_path])} == {"own/__init__.py"}


def test_a_package_is_taken_under_its_name(tmp_path: Path):
    """Naming it, or a part of it, takes the whole, and nothing that lies beside it."""
    fill(tmp_path, "own/__init__.py", "own/deep/__init__.py", "own/steps.py", "other.py")
    expected = {"own/__init__.py", "own/deep/__init__.py", "own/steps.py"}
    assert {*of_folders([tmp_path / "own"])} == expected
    assert {*of_folders([tmp_path / "own" / "deep"])} == expected


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("score.py", "the service"),
        ("cache/__init__.py", "the service"),
        ("json.py", "Python"),
        ("numpy/own.py", "an installed package"),
    ],
)
def test_a_name_that_is_taken_is_refused(tmp_path: Path, name: str, owner: str):
    """Another module would be imported in its place."""
    fill(tmp_path, name)
    module = name.partition("/")[0].removesuffix(".py")
    with pytest.raises(StartupError) as refused:
        of_folders([tmp_path])
    assert str(refused.value) == (
        f"{tmp_path} holds a module of yours called {module}, but {owner} has one of that name; "
        f"rename yours, train the model with it, and save it again."
    )


def test_a_symbolic_link_is_refused(tmp_path: Path):
    """It may lead anywhere."""
    fill(tmp_path, "real/own_a.py", "code/own_b.py")
    (tmp_path / "code" / "own_a.py").symlink_to(tmp_path / "real" / "own_a.py")
    with pytest.raises(StartupError, match=r"own_a\.py is a symbolic link, which is not copied"):
        of_folders([tmp_path / "code"])


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It holds more than a model's code."""
    (fill(tmp_path, "own_a.py") / "own_a.py").write_text("# long")
    monkeypatch.setattr(code_folder, "MAX_BYTES", 5)
    with pytest.raises(StartupError, match="holds more than 1,000 files or 0 MB of code; name a"):
        of_folders([tmp_path])
    monkeypatch.undo()
    monkeypatch.setattr(code_folder, "MAX_FILES", 1)
    with pytest.raises(StartupError, match="holds more than 1 files"):
        of_folders([fill(tmp_path, "own_b.py")])


def test_a_folder_without_modules_and_one_named_twice_are_refused(tmp_path: Path):
    """Both are mistakes."""
    with pytest.raises(StartupError, match="holds no Python module"):
        of_folders([tmp_path])
    fill(tmp_path, "own_a.py")
    with pytest.raises(StartupError, match=r"own_a\.py is in two folders that --code names"):
        of_folders([tmp_path, tmp_path])
