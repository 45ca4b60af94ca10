"""The registered model that a deployment names: which version it is, and what describes it."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

import support
from arm.https import DROP, Reply
from arm.models import CONTAINER, HOST, STORE
from arm.resource_manager import GROUP, PREFIX, SUBSCRIPTION, WORKSPACE
from arm.setting import BLUE, DEPLOYMENT, Setting, refusal
from azureml_scoring.models.files.manifest import FILE_NAME, Manifest
from mlops.rollout.azure_models import connect
from mlops.rollout.model_reference import Registered, moves, registered
from mlops.rollout.preparation import Preparation
from mlops.rollout.questions import Questions

WEIGHTS = b"gigabytes"
CONTAINER_GONE = Reply(
    404,
    b"<Error><Code>ContainerNotFound</Code><Message>The specified container does not "
    b"exist.</Message></Error>",
    {"x-ms-error-code": "ContainerNotFound", "Content-Type": "application/xml"},
)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.packaged(*support.mixed(), tmp_path_factory.mktemp("packaged"))


@pytest.fixture
def store(here: Setting, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """Versions 7 and 8 of a model are registered, the latter as `mlops package` wrote it."""
    monkeypatch.setenv(
        "REQUESTS_CA_BUNDLE", str(here.folder / "authority.pem")
    )  # the storage's client has no option
    ask = socket.getaddrinfo
    monkeypatch.setattr(  # names below localhost are this machine's, and not every resolver knows
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: ask("localhost" if host == HOST else host, *rest, **more),
    )
    here.azure.workspace.models.register("diabetes", "7", {"model.joblib": WEIGHTS})
    files = {name: (artifact / name).read_bytes() for name in os.listdir(artifact)}
    here.azure.workspace.models.register("diabetes", "8", files)
    here.server.requests.clear()
    return here


def fetched(store: Setting, model: Registered, folder: Path, **client: Any) -> list[str]:
    store.models(**client).describe(model, folder)
    return sorted(path.name for path in folder.iterdir())


def test_connecting_asks_nobody():
    """Whoever is signed in is found out when the first call needs it."""
    connect("credit", subscription=SUBSCRIPTION, resource_group=GROUP, workspace=WORKSPACE)


def test_a_label_means_one_version_from_then_on(store: Setting):
    """What is registered a minute later is another rollout's."""
    pinned = store.models().version(Registered("diabetes", label="latest"))
    assert pinned == Registered("diabetes", "8")
    store.azure.workspace.models.register("diabetes", "9", {})
    store.server.requests.clear()
    assert store.models().version(pinned) == pinned
    assert store.server.requests == []


@pytest.mark.parametrize("identity", [False, True])
def test_the_manifest_is_fetched_and_the_model_is_not(
    store: Setting, artifact: Path, tmp_path: Path, identity: bool
):
    """The datastore's own signature or the signed-in user is used. A model may have gigabytes."""
    store.azure.workspace.models.identity = identity
    (tmp_path / "model").mkdir()
    assert fetched(store, Registered("diabetes", "8"), tmp_path / "model") == [FILE_NAME]
    assert Manifest.read(tmp_path / "model") == Manifest.read(artifact)
    read = [
        request.path.rpartition("/")[2]
        for request in store.server.requests
        if CONTAINER in request.path
    ]
    assert read == [FILE_NAME, "MLmodel"]


def test_a_model_that_nothing_describes_has_nothing_to_fetch(store: Setting, tmp_path: Path):
    """This is not an error here: the rollout says whether it is enough."""
    (tmp_path / "model").mkdir()
    assert fetched(store, Registered("diabetes", "7"), tmp_path / "model") == []


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            Registered("diabetes", "6"),
            "Can't look up the model azureml:diabetes:6: .*diabetes:6 was not found",
        ),
        (
            Registered("diabetes", label="best"),
            "Can't look up the model azureml:diabetes@best: .*label",
        ),
        (
            Registered("other", label="latest"),
            "Can't look up the model azureml:other@latest: .*does not exist",
        ),
        (Registered("diabetes", "8", place=("s", "g", "w")), "registered in the workspace w"),
    ],
)
def test_a_model_that_is_not_there_is_told(
    store: Setting, tmp_path: Path, model: Registered, sentence: str
):
    """The error is one sentence."""
    pattern = re.compile(sentence)
    assert pattern.search(
        refusal(lambda: store.models().describe(store.models().version(model), tmp_path))
    )


def test_a_model_of_this_workspace_by_its_long_id_is_found(store: Setting, tmp_path: Path):
    """Terraform and the studio write this id."""
    (tmp_path / "model").mkdir()
    named = registered({"model": f"azureml:{PREFIX}/models/diabetes/versions/8"})
    assert named
    assert fetched(store, named, tmp_path / "model") == [FILE_NAME]


def test_a_store_that_can_not_be_read_is_told(store: Setting, tmp_path: Path):
    """A firewall around the storage is the usual reason, or a role that is missing."""

    def told(reply: Reply) -> str:
        store.server.fail(1, reply, "GET", FILE_NAME)
        return refusal(
            lambda: store.models(patience_s=0).describe(Registered("diabetes", "8"), tmp_path)
        )

    assert "Storage Blob Data Reader" in told(
        Reply(403, None, {"x-ms-error-code": "AuthorizationFailure"})
    )
    assert "The specified container does not exist" in told(CONTAINER_GONE)
    assert f"read {FILE_NAME} of azureml:diabetes:8" in told(DROP)


def test_a_datastore_that_may_not_be_asked_is_told(store: Setting, tmp_path: Path):
    """The error names the missing role."""
    forbidden = Reply(
        403, {"error": {"code": "AuthorizationFailed", "message": "no right to listSecrets"}}
    )
    store.server.fail(1, forbidden, "POST", "/listSecrets")
    told = refusal(lambda: store.models().describe(Registered("diabetes", "8"), tmp_path))
    assert f"Can't look up the datastore {STORE}" in told


def test_who_is_not_signed_in_is_told(store: Setting, tmp_path: Path):
    """The error says how to sign in."""

    class Nobody:
        def get_token(self, *_: str, **__: Any) -> Any:
            raise ClientAuthenticationError("DefaultAzureCredential failed")

    told = refusal(
        lambda: store.models(credential=Nobody()).describe(Registered("diabetes", "8"), tmp_path)
    )
    assert "az login" in told


def test_what_is_deployed_is_the_version_that_was_checked(store: Setting):
    """Though the file says latest, and another one has been registered since."""
    (store.folder / "blue.yml").write_text(DEPLOYMENT.replace("diabetes:7", "diabetes@latest"))
    endpoint = store.another(models={"blue": "azureml:diabetes:8"})
    store.azure.workspace.models.register("diabetes", "9", {})
    endpoint.deploy("blue")
    assert store.put(BLUE)["properties"]["model"] == f"{PREFIX}/models/diabetes/versions/8"


def test_a_rollout_asks_by_the_manifest_of_the_latest(store: Setting, artifact: Path):
    """Nothing but the deployment's file is on this machine."""
    document = {"name": "blue", "endpoint_name": "credit", "model": "azureml:diabetes@latest"}
    asked, version = Preparation(document, store.folder / "blue.yml").ask(store.models)
    assert version == Registered("diabetes", "8")
    assert asked == Questions.of(Manifest.read(artifact))
    assert asked.gaps(()) == []


def test_a_file_names_its_model_in_one_of_azures_ways():
    """A registry's labelled model has no version that could be held on to."""
    assert registered({"model": "azureml:diabetes:8"}) == Registered("diabetes", "8")
    assert registered({"model": "azureml:diabetes@latest"}) == Registered(
        "diabetes", label="latest"
    )
    for other in (
        None,
        {"path": "artifact"},
        "azureml://registries/r/models/m/versions/1",
        "diabetes",
        7,
    ):
        assert registered({"model": other}) is None
    assert moves({"model": "azureml://registries/r/models/m/labels/latest"})
    assert not moves({"model": "azureml://registries/r/models/m/versions/1"})
