"""No command overwrites a file that mlops did not write."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest

import support
from azureml_scoring.errors import StartupError
from commands import FOUND, call, check
from mlops import output
from mlops.exit_status import ExitStatus

FOLDERS = {("artifact", "out"), ("demo", "out"), ("package", "out")}
"""Options that name a folder which is written as a whole."""
FILES = {
    ("compare", "out"): ("diabetes-blue-green.svg",),
    ("batch", "out"): ("report.json",),
    ("drift", "plot"): ("drift.svg", "drift.png"),
    ("environment", "out"): ("requirements.txt", "conda.yml"),
    ("load", "out"): ("report.html", "requests.csv", "figures.json"),
    ("quality", "plot"): ("calibration.svg", "calibration.png"),
    ("rehearse", "out"): (
        "good.html",
        "good/journal.jsonl",
        "good/blue.log",
        "good/green.log",
        "slow.html",
    ),
    ("rollback", "out"): ("diabetes.jsonl",),
    ("rollout", "out"): ("diabetes.html", "diabetes.jsonl"),
    ("simulate", "out"): ("simulation.svg", "summary.csv", "seconds.csv"),
    ("slo", "out"): ("report.html", "requests.csv", "figures.json", "one-1.log", "two-3.log"),
}
"""For each option the files written below it; for ``--plot`` it is the file itself."""
CHANGED = {"rollback": {"to": "green"}}
"""These give the command something to do."""
UNFAILING = {"rollback"}
"""It gives the traffic back whatever lies here, then without a record."""
WRITING = {
    (name, parameter.name)
    for name, command in FOUND.items()
    for parameter in command.params
    if isinstance(parameter.type, click.Path) and not parameter.type.exists
}
PRECIOUS = b'{"mine": 1}\nand more\n'
CASES = [(name, option, file) for (name, option), files in sorted(FILES.items()) for file in files]


def given(option: str, folder: Path, file: str) -> dict[str, Path]:
    return {option: folder / file if option == "plot" else folder}


def test_every_option_that_writes_is_known():
    """A new option must say here what it writes."""
    assert {*FILES, *FOLDERS} == WRITING


@pytest.mark.parametrize(("name", "option", "file"), CASES)
def test_a_file_that_is_not_ours_stays_as_it_is(
    good: Path, tmp_path: Path, refusing: str, name: str, option: str, file: str
):
    """The error names the file, whatever it is, before anything is written."""
    place = tmp_path / "out" / file
    place.parent.mkdir(parents=True)
    place.write_bytes(PRECIOUS)
    result = call(
        name, good, given(option, tmp_path / "out", file) | CHANGED.get(name, {}), refusing
    )
    check(result, expected=True)
    if name not in UNFAILING:
        assert result.exit_code in (ExitStatus.UNUSABLE, ExitStatus.SERVER), result.output
        assert str(place) in result.output
    assert place.read_bytes() == PRECIOUS
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [place]


@pytest.mark.parametrize(("name", "option", "file"), CASES)
def test_a_symbolic_link_is_not_written_through(
    good: Path, tmp_path: Path, refusing: str, name: str, option: str, file: str
):
    """It is not replaced either, wherever it leads, even to nothing."""
    place, target = tmp_path / "out" / file, tmp_path / "target"
    place.parent.mkdir(parents=True)
    place.symlink_to(target)
    for contents in (None, PRECIOUS):
        if contents:
            target.write_bytes(contents)
        result = call(
            name, good, given(option, tmp_path / "out", file) | CHANGED.get(name, {}), refusing
        )
        check(result, expected=True)
        assert (bool(result.exit_code), place.is_symlink()) == (name not in UNFAILING, True), (
            result.output
        )
        assert target.read_bytes() == contents if contents else not target.exists()


@pytest.mark.slow
def test_what_is_ours_is_replaced(good: Path, tmp_path: Path, demo_model: Path):
    """The same command replaces its own files any number of times."""
    X, _ = support.diabetes()
    X.to_csv(tmp_path / "rows.csv", index=False)
    out = tmp_path / "out"
    for _ in range(2):
        for kind in ("svg", "png"):
            assert call("simulate", good, {"out": out, "picture": kind}).exit_code == 0
            drifted = {
                "artifact": demo_model,
                "files": tmp_path / "rows.csv",
                "plot": out / f"drift.{kind}",
            }
            assert call("drift", good, drifted).exit_code == 0
    assert len([*out.iterdir()]) == 6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["artifact", "demo", "package"])
def test_a_folder_is_replaced_only_where_it_is_an_artifact(good: Path, tmp_path: Path, name: str):
    """Even --force replaces no link, no file, and no folder with other files."""
    artifact = tmp_path / "artifact"
    assert call(name, good, {"out": artifact}).exit_code == 0
    kept = {path.name: path.read_bytes() for path in artifact.iterdir()}
    (tmp_path / "link").symlink_to(artifact)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "file").write_bytes(PRECIOUS)
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "mine").write_bytes(PRECIOUS)
    for place in ("link", "nowhere", "file", "mixed"):
        for force in ({}, {"force": ""}):
            result = call(name, good, {"out": tmp_path / place} | force)
            check(result, expected=True)
            assert result.exit_code in (ExitStatus.USAGE, ExitStatus.UNUSABLE), result.output
    assert {path.name: path.read_bytes() for path in artifact.iterdir()} == kept
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "nowhere").is_symlink()) == (True, True)
    assert {path.name for path in tmp_path.iterdir()} == {
        "artifact",
        "link",
        "nowhere",
        "file",
        "mixed",
    }
    assert call(name, good, {"out": artifact, "force": ""}).exit_code == 0


@pytest.mark.parametrize("name", ["demo", "slo"])
def test_the_demo_replaces_no_other_model(good: Path, tmp_path: Path, name: str):
    """Even --force does not replace another model; the error names that model."""
    artifact = tmp_path / "artifact"
    assert call("package", good, {"out": artifact}).exit_code == 0
    result = call(
        name, good, {"out": artifact, "force": ""} if name == "demo" else {"out": tmp_path}
    )
    assert (result.exit_code, result.output) == (
        ExitStatus.UNUSABLE,
        f"Error: {artifact} holds the model model, which is not the demo's; name another folder.\n",
    )


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing else remains beside it; a full disk has the same effect."""
    file = tmp_path / "report.html"
    output.write(file, f"{output.MARK} first")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for where in ("mlops.output.os.replace", "pathlib.Path.write_bytes"):
        with monkeypatch.context() as patch:
            patch.setattr(where, interrupted)
            with pytest.raises(KeyboardInterrupt):
                output.write(file, f"{output.MARK} second")
        assert file.read_text() == f"{output.MARK} first"
        assert [*tmp_path.iterdir()] == [file]
    file.chmod(0o600)
    output.write(file, f"{output.MARK} third")
    assert (file.read_text(), file.stat().st_mode & 0o777) == (f"{output.MARK} third", 0o600)


def test_a_place_that_is_not_a_file_is_reported(tmp_path: Path):
    """A folder or a device is reported."""
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "folder", Path("/dev/null")):
        with pytest.raises(StartupError, match="is not a file; move it away"):
            output.write(place, output.MARK)


ELSEWHERE = {
    "output.py": "the one place",
    "artifact_folder.py": "a folder beside the place, which it then takes",
    "journal.py": "a journal is added to",
    "svg.py": "a picture in memory",
    "inputs.py": "a killed batch job's temporary files, in a folder that has proven to be a job's",
    "worker.py": "the log of a batch job's process, in such a folder",
    "azure_models.py": "a temporary folder",
    "environment.py": "a temporary folder, for uv",
    "environments.py": "environments of old models, in the user's cache",
    "rehearsal.py": "the last rehearsal's journal is removed, once it has proven to be one",
}
WRITERS = {"write_text", "write_bytes", "savefig", "rename", "rmtree", "unlink"}


def writes(module: Path) -> bool:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = {part.value for part in node.args if isinstance(part, ast.Constant)}
            if node.func.attr in WRITERS or (
                node.func.attr == "open" and words & {"w", "wb", "a", "ab", "a+b", "x", "xb"}
            ):
                return True
    return False


def test_all_files_are_written_in_one_place():
    """A new command calls ``output.write`` too, or says here why it need not."""
    root = Path(output.__file__).parent
    assert not {module.name for module in root.rglob("*.py") if writes(module)} - ELSEWHERE.keys()
