"""Packages that a model needs beyond the service's own are recorded, and no others."""

import re
import textwrap
from importlib.metadata import version
from pathlib import Path

import pytest

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import Manifest
from mlops import requirements
from mlops.requirements import imported_by, of_file, of_modules


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock that has scikit-learn, but neither of Hypothesis and PyYAML."""
    file = tmp_path / "lock.txt"
    file.write_text("scikit_learn==1.9.1 \\\n    --hash=sha256:00\nnumpy==2.4.6 \\\n")
    monkeypatch.setattr(requirements, "LOCK", file)
    return file


@pytest.mark.usefixtures("lock")
def test_packages_of_modules_are_those_beyond_the_lock():
    """A module may have another name than its package; Python's own have none."""
    modules = ["yaml.loader", "hypothesis", "sklearn.tree", "json", "no_such_module"]
    assert of_modules(modules) == {
        "PyYAML": version("PyYAML"),
        "hypothesis": version("hypothesis"),
    }


def test_without_a_checkout_all_that_the_service_requires_is_brought(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A wheel has no lock: its requirements, and theirs, are what is there."""
    monkeypatch.setattr(requirements, "LOCK", tmp_path / "none")
    assert of_modules(["yaml", "scipy", "sklearn", "hypothesis", "azureml_scoring"]) == {
        "hypothesis": version("hypothesis")
    }


@pytest.mark.usefixtures("lock")
def test_a_file_of_requirements_is_read(tmp_path: Path):
    """With comments, hashes, ranges and markers; what the lock has is left to it."""
    file = tmp_path / "requirements.txt"
    file.write_text(
        f"# mine\nhypothesis=={version('hypothesis')} \\\n    --hash=sha256:{'0' * 64}\n"
        "PyYAML>=5  # a range\nscikit-learn>=1\npywin32==1; sys_platform == 'win32'\n\n"
    )
    assert of_file(file) == {
        "hypothesis": version("hypothesis"),
        "PyYAML": version("PyYAML"),
    }


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("no-such-package==1", "names no-such-package==1, but here no-such-package is not"),
        ("hypothesis<1", f"names hypothesis<1, but here hypothesis is {version('hypothesis')}"),
        ("scikit-learn<1", "names scikit-learn<1, but here scikit-learn is "),
        ("-r other.txt", "has the line '-r other.txt', which is not read here; write packages"),
        ("mine @ https://example.com/mine.whl", "has the line 'mine @ https"),
    ],
)
@pytest.mark.usefixtures("lock")
def test_a_line_that_cannot_be_kept_is_refused(tmp_path: Path, line: str, sentence: str):
    """The model was not tried with it, or nobody could tell its version."""
    (tmp_path / "requirements.txt").write_text(f"{line}\n")
    with pytest.raises(StartupError, match=re.escape(sentence)):
        of_file(tmp_path / "requirements.txt")


def test_imports_that_a_source_can_do_without_are_not_needed(tmp_path: Path):
    """Neither are those of its own package."""
    (tmp_path / "own_steps.py").write_text(
        textwrap.dedent("""
            import a.b, c
            from d import e
            from . import mine
            try:
                import optional
            except ImportError:
                optional = None
            def later():
                import f
        """)
    )
    (tmp_path / "words.txt").write_text("import g")
    assert [*imported_by(sorted(tmp_path.iterdir()))] == ["a.b", "c", "d", "f"]


@pytest.mark.slow
def test_packaging_records_what_the_pickle_names(tmp_path: Path, lock: Path):
    """And what the file of requirements lists."""
    lock.write_text("numpy==2.4.6 \\\njoblib==1.6.0 \\\n")
    file = tmp_path / "requirements.txt"
    file.write_text("hypothesis\n")
    said = list[str]()
    folder = support.packaged(
        *support.plain_regression(), tmp_path, requirements=file, say=said.append
    )
    expected = {name: version(name) for name in ("hypothesis", "scikit-learn")}
    assert Manifest.read(folder).requirements == expected
    assert any(line.startswith("  needs hypothesis ") for line in said)
