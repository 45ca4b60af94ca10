import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import support
from mlops.cli import main
from mlops.exit_status import ExitStatus


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_lists_the_commands():
    """The help has a line for each command."""
    shown = run("--help").output
    for command in ("demo", "example", "package", "rollout", "serve", "simulate", "slo"):
        assert f"  {command}  " in shown
    assert "announce" not in shown


def test_a_command_imports_only_the_libraries_that_it_needs():
    """Other libraries are not imported; scikit-learn alone takes a second."""
    assert not {"sklearn", "pandas", "scipy", "joblib"} & imported_by("serve", "-h")


def test_the_list_of_commands_imports_no_large_library():
    """Each command imports a large library when it is called."""
    slow = {"sklearn", "pandas", "scipy.stats", "matplotlib", "joblib", "azure.ai.ml", "onnx"}
    assert not slow & imported_by("--help")


def imported_by(*words: str) -> set[str]:
    """Return the modules that a command has imported once it has ended."""
    code = (
        "import sys; from mlops.cli import main; "
        f"main({[*words]}, standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {*done.stdout.split()}


@pytest.mark.parametrize("command", ["demo", "example", "package", "serve"])
def test_each_command_has_help(command: str):
    """The help of a command shows its usage."""
    result = run(command, "-h")
    assert (result.exit_code, "Usage:" in result.output) == (0, True)


def test_package_shows_its_steps_and_what_to_do_next(tmp_path: Path):
    """Packaging prints its progress, and at the end the command to serve the model."""
    X, y = support.diabetes()
    X.assign(target=y).to_csv(tmp_path / "train.csv", index=False)
    file = support.dump(support.demo_estimator(), tmp_path, "churn.joblib")
    result = run(
        "package",
        file,
        "--sample",
        tmp_path / "train.csv",
        "--drop",
        "target",
        "--out",
        tmp_path / "out",
    )
    assert result.exit_code == 0, result.output
    steps = [
        "Loading",
        "Measuring",
        "Trying 10 rows of the sample",
        "golden rows: 10 like the sample's, of which none",
    ]
    for step in [*steps, "Writing", "Packaged churn 1. Serve it: mlops serve"]:
        assert step in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample", "SAMPLE", "--out", "OUT"], "model.pkl is damaged or incomplete, or no model"),
        (
            ["--sample", "SAMPLE", "--out", "OUT", "--drop", "no"],
            "--drop names no, which the sample lacks; it has a",
        ),
        (["--sample", "MODEL", "--out", "OUT"], "is not a sample that can be read"),
        (["--sample", "missing.csv", "--out", "OUT"], "does not exist"),
        (["--sample", "SAMPLE"], "Missing option '--out'"),
    ],
)
def test_mistakes_are_one_sentence_and_a_non_zero_exit(
    tmp_path: Path, arguments: list[str], message: str
):
    """A mistake prints no traceback."""
    (tmp_path / "sample.csv").write_text("a\n1\n")
    (tmp_path / "model.pkl").write_text("no pickle")
    places = {
        "SAMPLE": tmp_path / "sample.csv",
        "MODEL": tmp_path / "model.pkl",
        "OUT": tmp_path / "out",
    }
    result = run(
        "package",
        tmp_path / "model.pkl",
        *(places.get(argument, argument) for argument in arguments),
    )
    assert result.exit_code not in (0, None)
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_demo_makes_the_demo_model(tmp_path: Path):
    """The demo is diabetes-classifier, with ten features and two classes. Its progress is no data,
    so whoever reads the first line only does not stop it."""
    result = run("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Packaged diabetes-classifier ")
    assert result.stdout.count("\n") == 1
    assert "Training on" in result.stderr
    manifest = json.loads((tmp_path / "demo" / "manifest.json").read_text())
    assert manifest["model_name"] == "diabetes-classifier"
    assert [f["name"] for f in manifest["contract"]["features"]] == support.NAMES
    assert set(manifest["golden_answers"]["predict"]) == {0, 1}


def test_example_is_a_request_of_the_model(demo_model: Path, tmp_path: Path):
    """The request has golden rows if there are some, else zeros, as JSON or as a curl command."""
    assert json.loads(run("example", demo_model).output)["data"][0] == support.ROW
    estimator, _ = support.plain_regression()
    folder = support.dump(estimator, tmp_path).parent
    assert json.loads(run("example", folder).output) == {"data": [[0, 0]]}
    for url in ("http://localhost:1", "http://localhost:1/", "http://localhost:1/score"):
        words = shlex.split(run("example", folder, "--url", url).output)
        assert words[:2] == ["curl", "http://localhost:1/score"]
    assert json.loads(words[-1]) == {"data": [[0, 0]]}


def test_serve_names_a_port_that_is_taken(demo_model: Path):
    """The port is checked before anything starts."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        result = run("serve", "--model-dir", demo_model, "--port", taken.getsockname()[1])
    assert result.exit_code == ExitStatus.UNUSABLE
    assert "can't be used (Address already in use); choose another one." in result.output


def test_serve_reports_a_wrong_folder_before_the_server_starts(tmp_path: Path):
    """Only the sentence is printed, without the server's lines."""
    result = run("serve", "--model-dir", tmp_path, "--port", support.free_port())
    assert result.exit_code == ExitStatus.UNUSABLE
    assert f"No model in {tmp_path}" in result.output


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path):
    """The error names the place and prints no traceback."""
    result = run("demo", "--out", "/proc/nowhere/artifact")
    assert result.exit_code == ExitStatus.UNUSABLE
    assert "choose another place" in result.output


def unread() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


OUTPUTS = {
    "a closed pipe": (unread, ExitStatus.PIPE_CLOSED, ""),
    "a full disk": (
        lambda: os.open("/dev/full", os.O_WRONLY),
        ExitStatus.UNUSABLE,
        "Error: No space left on device; choose another place.\n",
    ),
}


@pytest.mark.parametrize("kind", OUTPUTS)
@pytest.mark.parametrize("words", [("--version",), ("help", "verify")])
def test_an_output_that_takes_nothing_has_its_status(kind: str, words: tuple[str, ...]):
    """Without a traceback, also at the end of the process."""
    opened, status, message = OUTPUTS[kind]
    output = opened()
    done = subprocess.run(
        [sys.executable, "-m", "mlops", *words],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(output)
    assert (done.returncode, done.stderr) == (status, message)
