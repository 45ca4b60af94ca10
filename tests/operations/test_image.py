"""What can be tested of the image without docker; .ci/image builds and runs it where docker is."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

import support
from azureml_scoring.models.files.manifest import Manifest
from blackbox.server import HTTP, PATIENCE, until
from mlops.deployment import LIVENESS
from mlops.project import sample_requests
from places import REPOSITORY

ENVIRONMENT = REPOSITORY / "environment"
DOCKERFILE = ENVIRONMENT / "Dockerfile"
BIN = Path(sys.executable).parent
WITHOUT_RIGHTS = [sys.executable, str(Path(__file__).with_name("without_rights.py"))]


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions as (name, rest)."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (name, rest)
        for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def the_only(name: str) -> str:
    (found,) = [rest for instruction, rest in instructions() if instruction == name]
    return found


def argument(name: str) -> str:
    """Return the default of a build argument."""
    arguments = dict(rest.split("=", 1) for kind, rest in instructions() if kind == "ARG")
    return arguments[name]


class Container:
    """The image's files, command and environment in folders of this machine, of which only ``tmp``
    is writable."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.port = support.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.app, self.tmp, self.log = folder / "app", folder / "tmp", folder / "log"
        self.tmp.mkdir()
        shutil.copytree(
            REPOSITORY / "src", self.app / "src", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copytree(model, folder / "model")
        (compile_,) = [
            rest for name, rest in instructions() if name == "RUN" and "compileall" in rest
        ]
        self.run(compile_.replace("/app/src", str(self.app / "src")).split())
        for path in [folder / "model", self.app, *folder.glob("model/**/*"), *self.app.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        env = dict(word.split("=", 1) for word in shlex.split(the_only("ENV")))
        self.env = env | {
            "PATH": f"{BIN}:{env['PATH']}",
            "HOME": str(self.app),
            "TMPDIR": str(self.tmp),
            "AZUREML_MODEL_DIR": str(folder / "model"),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*WITHOUT_RIGHTS, *self.command("CMD"), "--port", str(self.port)],
                cwd=self.app,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def command(self, instruction: str) -> list[str]:
        words: list[str] = json.loads(the_only(instruction)[the_only(instruction).index("[") :])
        return [word.replace("5001", str(self.port)) for word in words]

    def run(self, words: list[str]) -> int:
        return subprocess.run(
            [str(BIN / words[0]), *words[1:]], timeout=PATIENCE, check=False, capture_output=True
        ).returncode

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return HTTP.get(f"{self.url}/readiness").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Iterator[Container]:
    running = Container(tmp_path_factory.mktemp("container"), demo_model)
    try:
        until(running.is_ready, "the image's command serves")
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.mark.parametrize(
    "path", [sample_requests.PLAIN, sample_requests.NAMED], ids=lambda path: path.name
)
def test_the_images_command_answers_the_sample_requests(
    container: Container, demo_model: Path, path: Path
):
    """The requests made from its model work with only /tmp writable, and without a home."""
    text = sample_requests.texts(Manifest.read(demo_model))[path]
    answer = HTTP.post(
        f"{container.url}/score", content=text, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    assert answer.json()["predictions"]


def test_the_image_answers_on_the_routes_that_azure_is_told(container: Container):
    """inference_config names the routes, and the port that the image exposes."""
    config = yaml.safe_load((REPOSITORY / "endpoints" / "image-environment.yml").read_text())[
        "inference_config"
    ]
    assert {str(route["port"]) for route in config.values()} == {the_only("EXPOSE")}
    assert HTTP.get(container.url + config["liveness_route"]["path"]).status_code == 200
    assert HTTP.get(container.url + config["readiness_route"]["path"]).status_code == 200
    assert HTTP.get(container.url + config["scoring_route"]["path"]).status_code == 405


def test_the_health_check_sees_life_and_death(container: Container):
    """Docker's health check passes for a live server and fails for a dead one."""
    assert container.run(container.command("HEALTHCHECK")) == 0
    nobody = [
        word.replace(str(container.port), str(support.free_port()))
        for word in container.command("HEALTHCHECK")
    ]
    assert container.run(nobody) != 0


def test_nothing_is_written_into_the_image(container: Container):
    """The root file system may be read-only: a write would have failed here, and there was none."""
    touch = subprocess.run(
        [*WITHOUT_RIGHTS, "touch", container.app / "src" / "new"], capture_output=True, check=False
    )
    assert touch.returncode != 0
    assert not re.search("permission denied|read-only", container.log.read_text(), re.IGNORECASE)


def test_the_image_stops_when_it_is_told_to(tmp_path: Path, demo_model: Path):
    """SIGTERM to its first process ends it, with status 0."""
    stopping = Container(tmp_path, demo_model)
    try:
        until(stopping.is_ready, "the image's command serves")
        stopping.process.send_signal(signal.SIGTERM)
        assert stopping.process.wait(PATIENCE) == 0
    finally:
        stopping.process.kill()


def test_docker_is_as_patient_as_azure():
    """The health check has the times of the liveness probe."""
    given = dict(re.findall(r"--([a-z-]+)=(\d+)", the_only("HEALTHCHECK")))
    names = {
        "initial_delay": "start-period",
        "period": "interval",
        "timeout": "timeout",
        "failure_threshold": "retries",
    }
    assert given == {names[name]: str(value) for name, value in LIVENESS.items()}


def test_the_dockerfile_is_clean():
    """hadolint finds nothing, with its rules for shell too."""
    done = subprocess.run(
        [BIN / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_pinned_and_runs_as_nobody_in_particular():
    """The base is pinned by digest and requirements by hash; the user is a number that no machine
    has."""
    assert re.fullmatch(r"python:3\.12\.\d+-slim-\w+@sha256:[0-9a-f]{64}", argument("PYTHON"))
    assert {rest.split()[0] for name, rest in instructions() if name == "FROM"} == {"${PYTHON}"}
    user, group = map(int, the_only("USER").split(":"))
    assert min(user, group) >= 10_000
    (install,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert "--require-hashes -r requirements.txt" in install
    assert [rest for name, rest in instructions() if name == "ADD"] == []


def test_conda_and_image_install_the_same():
    """Both install all of the lock and nothing else, on the same Python."""
    locked = re.findall(
        r"^([a-z].*?) \\$", (ENVIRONMENT / "requirements.txt").read_text(), re.MULTILINE
    )
    python, pip, by_pip = yaml.safe_load((ENVIRONMENT / "conda.yml").read_text())["dependencies"]
    assert by_pip == {"pip": locked}
    assert pip == "pip"
    assert argument("REQUIREMENTS") == "environment/requirements.txt"
    minor = re.search(r"python:(\d+\.\d+)\.", argument("PYTHON"))
    assert minor
    assert python == f"python={minor[1]}"


def test_the_lock_can_reach_redis_by_managed_identity():
    """REDIS_AUTH=entra works in both images, as no key should be in YAML."""
    assert re.search(
        r"^redis-entraid==", (ENVIRONMENT / "requirements.txt").read_text(), re.MULTILINE
    )
