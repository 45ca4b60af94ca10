import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.checkout import BLUE, ENDPOINT, FILES, GONE, REPOSITORY, Checkout, check, command
from mlops.cli import main
from mlops.exit_status import ExitStatus


def test_what_we_ship_is_right(checkout: Checkout):
    """Beside a packaged model each file of endpoints/ loads in azure-ai-ml and breaks none of our
    rules."""
    result = command(checkout.endpoints)
    assert (result.exit_code, result.output) == (0, f"{len(FILES)} files, nothing to correct.\n")


def test_a_checkout_without_a_model_is_told_how_to_make_one(checkout: Checkout):
    """A new checkout has no model, so this is the first message of a newcomer."""
    (checkout.root / "artifact").rename(checkout.root / "elsewhere")
    result = command(checkout.endpoints)
    assert (result.exit_code, result.output.count("\n")) == (1, 2)
    assert result.stdout.startswith(str(checkout.endpoints))  # where a pipe reads it
    assert re.search(
        r"model\.yml:\d+: path is .*, where there is no model; run `make artifact`", result.output
    )


@pytest.mark.parametrize(
    "script", ["def init(:\n", "x = '\x00'\n", "(" * 1000, "x = " + "-" * 100_000 + "1\n"]
)
def test_a_script_that_is_no_python_is_told(checkout: Checkout, script: str):
    """The check finds it before Azure builds an image for it."""
    (checkout.root / "src" / "score.py").write_text(script)
    told = [problem for problem in check(checkout.endpoints) if problem.path.name == BLUE]
    assert [problem.key for problem in told] == [("code_configuration", "scoring_script")]
    assert "is not valid Python" in told[0].wrong


def test_a_deployment_gets_live_traffic_or_mirrored(checkout: Checkout):
    """A deployment can't get both."""

    def both(data: dict[str, Any]) -> None:
        data.update(traffic={"blue": 100}, mirror_traffic={"blue": 10})

    (problem,) = check(checkout.rewrite(ENDPOINT, both))
    assert (problem.key, problem.instead) == (
        ("mirror_traffic", "blue"),
        "mirror to one that has none",
    )


def test_all_problems_of_all_files_are_told_at_once(checkout: Checkout):
    """Problems are listed file by file, from the top down."""
    checkout.change(ENDPOINT, "name", value="x")
    checkout.rewrite(BLUE, lambda data: data.update(instance_count="3", model="m", colour="red"))
    lines = command(checkout.endpoints).output.splitlines()
    places = [re.match(r".*/(.*):\d+: (\S+) ", line) for line in lines[:-1]]
    assert [found and found.groups() for found in places] == [
        (BLUE, "endpoint_name"),
        (BLUE, "model"),
        (BLUE, "instance_count"),
        (BLUE, "colour"),
        ("green-deployment.yml", "endpoint_name"),
        (ENDPOINT, "name"),
    ]
    assert lines[-1] == "Error: 6 to correct."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "is not valid YAML"),
        ("- a\n- b\n", "holds no keys; write `key: value` lines"),
        ("", "holds no keys"),
        ("a: \x00", "is not valid YAML"),
        ("name: &a [*a]\n", "an alias stands inside of what it names"),
        ("name: x\n", "$schema does not say what this is"),
    ],
)
def test_a_file_that_is_no_yaml_of_ours_is_told_so(tmp_path: Path, text: str, message: str):
    """The message has no traceback."""
    (tmp_path / "one.yml").write_text(text)
    result = command(tmp_path / "one.yml")
    assert (result.exit_code, message in result.output) == (1, True), result.output


def test_bytes_that_are_no_text_are_told_so(tmp_path: Path):
    """Such a file is reported even in a folder with good files."""
    (tmp_path / "one.yml").write_bytes(b"\xff\xfe\xfa")
    assert "save it as UTF-8 text" in command(tmp_path).output


def test_a_key_that_stands_there_twice_is_told(checkout: Checkout):
    """YAML itself takes the last one silently."""
    path = checkout.endpoints / BLUE
    path.write_text(path.read_text() + "instance_count: 1\n")
    assert re.search(r"instance_count occurs twice.*; remove one", command(path).output)


def test_without_azure_ai_ml_it_says_what_to_install(checkout: Checkout):
    """Serving does not need azure-ai-ml, so it may be missing."""
    code = (
        "import sys; sys.modules['azure.ai.ml'] = None; "
        "from mlops.cli import main; main(['check', sys.argv[1]])"
    )
    words = [sys.executable, "-c", code, checkout.endpoints]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    install = f"{sys.executable} -m pip install -e '.[deploy]'"
    message = f"Error: azure-ai-ml is not installed; run `{install}`.\n"
    assert (done.returncode, done.stderr) == (ExitStatus.UNUSABLE, message)


def test_nothing_but_the_problems_is_printed(checkout: Checkout):
    """azure-ai-ml's warnings and notices are hidden."""
    words = [sys.executable, "-m", "mlops", "check", checkout.endpoints]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"{len(FILES)} files, nothing to correct.\n",
        "",
    )


def test_the_message_on_the_page_is_what_is_printed(checkout: Checkout):
    """The message in docs/deploy.md is the real one."""
    path = checkout.endpoints / BLUE
    path.write_text(
        path.read_text().replace("request_timeout_ms: 30000", "request_timeout_ms: 20000")
    )
    shown = command(path).output.splitlines()[0].replace(str(checkout.endpoints), "endpoints")
    assert f"\n{shown}\n" in (REPOSITORY / "docs" / "deploy.md").read_text()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """So is the default folder if it does not exist."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["check"])
    assert (done.exit_code, "There is no endpoints here; name" in done.output) == (
        ExitStatus.UNUSABLE,
        True,
    ), done.output


def test_an_empty_folder_is_no_success(tmp_path: Path):
    """A wrong path in a pipeline does not look like a passed check."""
    assert command(tmp_path).exit_code == ExitStatus.UNUSABLE
    assert "holds no YAML file; name a folder or files that do." in command(tmp_path).output


def test_a_secret_of_the_key_vault_is_right(checkout: Checkout):
    """A reference to the key vault passes; Azure ML resolves it when the container starts."""
    injected = "${{keyvault:https://vault.vault.azure.net/secrets/redis}}"
    assert (
        check(checkout.change(BLUE, "environment_variables", "REDIS_PASSWORD", value=injected))
        == []
    )


def test_the_key_that_models_are_verified_with_is_no_secret(checkout: Checkout):
    """A public key passes; a private one, which would sign models, does not."""
    for kind, problems in (("PUBLIC", 0), ("EC PRIVATE", 1)):
        key = f"-----BEGIN {kind} KEY-----\nMFkw\n-----END {kind} KEY-----\n"
        changed = checkout.change(BLUE, "environment_variables", "SCORING_MODEL_KEY", value=key)
        assert len(check(changed)) == problems


def test_a_model_of_mlflow_needs_neither_code_nor_environment(checkout: Checkout):
    """Azure ML provides both."""
    (checkout.root / "artifact" / "MLmodel").write_text("flavors: {}")

    def no_code(data: dict[str, Any]) -> None:
        del data["code_configuration"], data["environment"]
        data["model"] = {"path": "../artifact", "type": "mlflow_model"}

    assert check(checkout.rewrite(BLUE, no_code)) == []


@pytest.mark.parametrize(
    "environment", ["file:image-environment.yml", "azureml:azureml-scoring-image@latest"]
)
def test_our_own_image_needs_no_threads(checkout: Checkout, environment: str):
    """Our image has its server and code, even if it is registered, so neither is demanded."""

    def own_image(data: dict[str, Any]) -> None:
        del data["code_configuration"], data["environment_variables"]["GUNICORN_CMD_ARGS"]
        data["environment"] = environment

    assert check(checkout.rewrite(BLUE, own_image)) == []


def test_one_request_at_a_time_is_told(checkout: Checkout):
    """Azure ML's server answers one request at a time by default, and probes would wait."""
    path = checkout.change(BLUE, "environment_variables", "GUNICORN_CMD_ARGS", value=GONE)
    what = "has no --threads, so probes wait behind scores if gunicorn's own worker serves"
    assert f"{what}; write --threads 64" in command(path).output
