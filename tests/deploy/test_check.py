import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from deploy.checkout import GONE, NAMES, REPOSITORY, Checkout
from mlops.check import run
from mlops.check.document import Problem, read
from mlops.check.kind import kind
from mlops.cli import main

FILES = sorted(
    str(path.relative_to(REPOSITORY / "endpoints"))
    for path in REPOSITORY.glob("endpoints/**/*.yml")
)
BLUE, AKS = "blue-deployment.yml", "kubernetes/blue-deployment.yml"
ENDPOINT, AKS_ENDPOINT = "online-endpoint.yml", "kubernetes/online-endpoint.yml"
LONG = "a" * 33


def check(path: Path) -> list[Problem]:
    return run.check(run.files([path]))


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


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
    assert re.search(
        r"model\.yml:\d+: path is .*, where there is no model; run `make artifact`", result.output
    )


MISTAKES: list[tuple[str, str, object, str]] = [
    (ENDPOINT, "name", "my", "3 to 32 letters"),
    (ENDPOINT, "name", LONG, "3 to 32 letters"),
    (ENDPOINT, "name", "1st-endpoint", "a letter first"),
    (ENDPOINT, "name", "two--dashes", "single dashes"),
    (ENDPOINT, "name", "end-", "single dashes"),
    (ENDPOINT, "name", GONE, "add it"),
    (ENDPOINT, "traffic", {"blue": 60, "green": 30}, "adds up to 90 %; make it 100, or 0"),
    (ENDPOINT, "traffic", {"blue": 60, "green": 60}, "adds up to 120 %; make it 100, or 0"),
    (ENDPOINT, "traffic.green", -10, "write 0 to 100"),
    (ENDPOINT, "mirror_traffic.green", 51, "is 51 %; write 0 to 50"),
    (ENDPOINT, "mirror_traffic", {"green": 5, "red": 5}, "keep one"),
    (ENDPOINT, "auth_mode", "password", "'aad_token'"),
    (ENDPOINT, "colour", "red", "remove it or correct its spelling"),
    (ENDPOINT, "compute", "azureml:aks", "remove it or write kubernetesOnlineEndpoint"),
    (AKS_ENDPOINT, "mirror_traffic", {"green": 10}, "does not exist on Kubernetes; remove it"),
    (AKS_ENDPOINT, "compute", GONE, "write azureml:NAME"),
    (AKS_ENDPOINT, "auth_mode", "aad_token", "write aml_token"),
    (BLUE, "name", "a.b", "letters, digits and single dashes"),
    (BLUE, "endpoint_name", "another", f"write {NAMES.endpoint}"),
    (BLUE, "type", "kubernetes", "write `type: managed`"),
    (BLUE, "instance_type", GONE, "add it"),
    (BLUE, "instance_count", "3", "write the number without quotes"),
    (BLUE, "instance_count", 0, "write 1 to 50"),
    (BLUE, "model", GONE, "azureml:NAME:VERSION"),
    (BLUE, "model", "file:nowhere.yml", "write file:PATH"),
    (BLUE, "model", "churn", "azureml:NAME:VERSION"),
    (BLUE, "model.path", "nowhere", "run `make artifact`"),
    (BLUE, "environment", GONE, "file:environment.yml"),
    (BLUE, "environment", "file:nowhere.yml", "write file:PATH"),
    (
        BLUE,
        "environment",
        {
            "image": "mine",
            "conda_file": {"dependencies": ["python=3.12", {"pip": ["scikit-learn"]}]},
        },
        "without azureml-inference-server-http, which runs the script; add it below pip",
    ),
    (BLUE, "environment", {"name": "mine"}, "name an image, or a folder to build one from"),
    (BLUE, "code_configuration", GONE, "name the folder as code"),
    (BLUE, "code_configuration.code", "../nowhere", "write its path from this file"),
    (BLUE, "code_configuration.scoring_script", GONE, "is missing; write the name of the file"),
    (BLUE, "code_configuration.code", GONE, "is missing; write the folder's path"),
    (BLUE, "code_configuration", {}, "is missing; write the folder's path"),
    (BLUE, "code_configuration.scoring_script", "main.py", "write the name of a file there"),
    (BLUE, "code_configuration.scoring_script", "cache.py", "define init() in cache.py"),
    (BLUE, "request_settings.request_timeout_ms", 200_000, "write 1 to 180000"),
    (
        BLUE,
        "request_settings.request_timeout_ms",
        25_000,
        "write 30000 or lower SCORING_DEADLINE_MS (25000)",
    ),
    (BLUE, "request_settings.request_timeout_ms", GONE, "is 5000, as it is missing"),
    (BLUE, "request_settings.max_concurrent_requests_per_instance", -1, "write 1 or more"),
    (BLUE, "request_settings.max_concurrent_requests_per_instance", 4, "write 192"),
    (BLUE, "request_settings.max_concurrent_requests_per_instance", GONE, "write 192"),
    (BLUE, "scale_settings.type", "target_utilization", "remove it and use autoscale.json"),
    (BLUE, "resources", {"requests": {"cpu": "1"}}, "remove it"),
    (BLUE, "liveness_probe.path", "/liveness", "remove it"),
    (BLUE, "liveness_probe.period", "often", "write a whole number"),
    (BLUE, "liveness_probe.timeout", 11, "write 10 at most"),
    (
        BLUE,
        "readiness_probe",
        {"timeout": 300, "period": 400},
        "is 300 s, more than Azure accepts; write 299 at most",
    ),
    (BLUE, "liveness_probe.success_threshold", 2, "write 1 or remove it"),
    (BLUE, "liveness_probe.initial_delay", 5, "35 s to load before it is killed; write 120"),
    (BLUE, "readiness_probe.failure_threshold", 0, "write 1 or more"),
    (BLUE, "environment_variables.PLAIN", 1, "put the value in quotes"),
    (BLUE, "environment_variables.PLAIN", True, "put the value in quotes"),
    (BLUE, "environment_variables.SCORING_MAX_BYTE", "5", "did you mean SCORING_MAX_BYTES?"),
    (BLUE, "environment_variables.SCORING_CACHE", "disk", "see docs/settings.md"),
    (BLUE, "environment_variables.DEPLOYMENT_NAME", "green", "write blue"),
    (BLUE, "environment_variables.REDIS_PASSWORD", "hunter2", "${{keyvault:https://"),
    (
        BLUE,
        "environment_variables.REDIS_URL",
        "rediss://u:hunter2@host:6380/0",
        "REDIS_AUTH: entra",
    ),
    (
        BLUE,
        "environment_variables.REDIS_URL",
        "rediss://:hun/ter2+hunter2=@host:6380/0",
        "REDIS_AUTH: entra",
    ),
    (BLUE, "environment_variables.REDIS_URL", "redis://:12/hunter2@host:6379", "REDIS_AUTH: entra"),
    (BLUE, "environment_variables.REDIS_URL", "redis://user:hunter2/@host", "REDIS_AUTH: entra"),
    (
        BLUE,
        "environment_variables.REDIS_URL",
        "redis://host:6379/0?password=hunter2",
        "REDIS_AUTH: entra",
    ),
    (BLUE, "environment_variables.BROKER", "amqps://user:hunter2/x@host:5671", "managed identity"),
    (BLUE, "environment_variables.STORAGE", "AccountName=a;AccountKey=hunter2", "managed identity"),
    (BLUE, "environment_variables.MY_API_KEY", "hunter2", "managed identity"),
    (BLUE, "environment_variables.SCORING_QUEUE_TIMEOUT_MS", "25000", "write less than 25000"),
    (BLUE, "environment_variables.SCORING_STUCK_AFTER_MS", "20000", "write more than 25000"),
    (
        BLUE,
        "environment_variables.GUNICORN_CMD_ARGS",
        "--threads 64 --graceful-timeout 20",
        "--graceful-timeout 60",
    ),
    (
        BLUE,
        "environment_variables.GUNICORN_CMD_ARGS",
        "--graceful-timeout 60",
        "write --threads 64",
    ),
    (AKS, "type", GONE, "write `type: kubernetes`"),
    (AKS, "endpoint_name", "another", f"write {NAMES.kubernetes_endpoint}"),
    (AKS, "request_settings.request_timeout_ms", 300_001, "write 1 to 300000"),
    (AKS, "request_settings.max_concurrent_requests_per_instance", 49, "write 48"),
    (AKS, "scale_settings.min_instances", 20, "write 10 at most"),
    ("environment.yml", "build", {"path": "../environment"}, "keep one of them"),
    ("environment.yml", "image", GONE, "name an image"),
    ("environment.yml", "conda_file", "nowhere.yml", "write the path of a conda file"),
    ("environment.yml", "conda_file", "model.yml", "has no dependencies; list them there"),
    ("image-environment.yml", "build.path", "../nowhere", "write its path from this file"),
    ("image-environment.yml", "build.dockerfile_path", "Dockerfile", "write its path there"),
    ("image-environment.yml", "inference_config.scoring_route.path", "score", "start it with /"),
    ("image-environment.yml", "inference_config.scoring_route", GONE, "add it"),
    ("model.yml", "path", "../nowhere", "run `make artifact`"),
    ("model.yml", "path", GONE, "`mlops package`"),
    ("model.yml", "type", "mlflow_model", "write custom_model"),
    ("model.yml", "$schema", GONE, "NAME one of managedOnlineEndpoint"),
]


@pytest.mark.parametrize(("file", "key", "value", "remedy"), MISTAKES)
def test_a_mistake_is_told_with_file_line_key_and_remedy(
    checkout: Checkout, file: str, key: str, value: object, remedy: str
):
    """One sentence, exit status 1, and no secret in the output."""
    path = checkout.change(file, *key.split("."), value=value)
    result = command(checkout.endpoints)
    assert result.exit_code == 1
    found = re.search(
        rf"^{re.escape(str(path))}:(\d+): {re.escape(key)}\S* (.*); (.*)\.$",
        result.output,
        re.MULTILINE,
    )
    assert found is not None, result.output
    assert remedy in found[0]
    assert "hunter2" not in result.output
    if value is not GONE and not isinstance(value, dict):
        line = path.read_text().splitlines()[int(found[1]) - 1]
        assert line.strip().startswith(key.rsplit(".", maxsplit=1)[-1])


def test_every_rule_tells_some_mistake(checkout: Checkout):
    """Each rule can be broken by some file."""
    silent = {rule for rules in run.RULES.values() for rule in rules}
    for file, key, value, _ in MISTAKES:
        document = read(checkout.change(file, *key.split("."), value=value))
        known = kind(document)
        silent -= {
            rule for rule in silent if known and rule in run.RULES[known] and any(rule(document))
        }
    assert silent == set()


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
    assert (done.returncode, done.stderr) == (1, message)


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
    assert (done.exit_code, "There is no endpoints here; name" in done.output) == (1, True), (
        done.output
    )


def test_an_empty_folder_is_no_success(tmp_path: Path):
    """A wrong path in a pipeline does not look like a passed check."""
    assert command(tmp_path).exit_code == 1
    assert "holds no YAML file; name a folder or files that do." in command(tmp_path).output


def test_a_secret_of_the_key_vault_is_right(checkout: Checkout):
    """A reference to the key vault passes; Azure ML resolves it when the container starts."""
    injected = "${{keyvault:https://vault.vault.azure.net/secrets/redis}}"
    assert (
        check(checkout.change(BLUE, "environment_variables", "REDIS_PASSWORD", value=injected))
        == []
    )


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


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(max_size=8)
    | st.sampled_from(["file:x", "azureml:a"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def keys(data: object, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(data, dict):
        for name, inner in data.items():
            yield (*at, name)
            yield from keys(inner, (*at, name))


PLACES = [
    (file, key)
    for file in FILES
    for key in keys(yaml.safe_load((REPOSITORY / "endpoints" / file).read_text()))
]


@given(st.sampled_from(PLACES), JSON | st.just(GONE))
def test_nothing_in_a_file_makes_a_traceback(
    shared_checkout: Checkout, place: tuple[str, tuple[str, ...]], value: object
):
    """Any value in any place gives a list of sentences."""
    file, key = place
    path = shared_checkout.change(file, *key, value=value)
    for problem in check(path):
        assert re.fullmatch(rf"{re.escape(str(problem.path))}:[1-9]\d*: .+; .+\.", str(problem)), (
            str(problem)
        )
    shared_checkout.rewrite(file, lambda _: None)


@given(st.dictionaries(st.sampled_from(["blue", "green", "red"]), st.integers(0, 100), max_size=3))
def test_traffic_is_all_or_none(shared_checkout: Checkout, shares: dict[str, int]):
    """Any split that adds up to 100 or to 0 passes, and no other."""
    path = shared_checkout.change(ENDPOINT, "traffic", value=shares)
    assert (check(path) == []) == (sum(shares.values()) in (0, 100))


@given(st.integers(1, 8), st.integers(1, 100), st.integers(2, 128))
def test_concurrency_is_what_an_instance_takes_in(
    shared_checkout: Checkout, workers: int, in_flight: int, threads: int
):
    """The number in the message is right."""

    def numbers(data: dict[str, Any]) -> None:
        data["environment_variables"] |= {
            "WORKER_COUNT": str(workers),
            "SCORING_MAX_IN_FLIGHT": str(in_flight),
            "GUNICORN_CMD_ARGS": f"--threads {threads} --graceful-timeout 60",
        }
        data["request_settings"]["max_concurrent_requests_per_instance"] = told

    told = 10**6
    (problem,) = check(shared_checkout.rewrite(BLUE, numbers))
    told = int(re.findall(r"\d+", problem.instead)[0])
    assert check(shared_checkout.rewrite(BLUE, numbers)) == []
    assert told == workers * max(1, min(in_flight, threads - 4))
