"""Valid inputs for every command, and surroundings in which none starts a server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import signed_models
import support
from azureml_scoring.errors import StartupError
from hostile_server import answer, hostile
from mlops.rollout import targets
from places import REPOSITORY
from still_endpoint import GREEN, Described, Still


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mlops.soak.table import BEGIN, END

    folder = tmp_path_factory.mktemp("good")
    estimator, frame = support.plain_regression()
    frame.columns = ["a", "b"]
    support.packaged(estimator, frame, folder)
    signed_models.sign(folder / "artifact", signed_models.KEY)
    (folder / "key.pem").write_bytes(signed_models.private_pem())
    (folder / "public.pem").write_text(signed_models.public_pem())
    frame.to_csv(folder / "rows.csv", index=False)
    for name in ("prediction", "truth"):
        rows = "".join(f"r{row},{row % 7 * 0.5}\n" for row in range(300))
        file = folder / {"prediction": "predictions.csv", "truth": "truth.csv"}[name]
        file.write_text(f"request_id,{name}\n{rows}")
    (folder / "green.yml").write_text(GREEN)
    (folder / "load.csv").write_text("seconds,requests_per_second\n0,5\n60,5\n")
    (folder / "page.md").write_text(f"{BEGIN}{END}")
    base = REPOSITORY / "kubernetes" / "base"
    manifests = [(base / name).read_text() for name in ("ml-inference-hpa.yaml", "deployment.yaml")]
    (folder / "hpa.yml").write_text("\n---\n".join(manifests))
    return folder


def in_place_of_the_server(*_: object) -> None:
    raise StartupError("What the server says of its model is tested with real ones.")


@pytest.fixture(autouse=True)
def surroundings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """An endpoint that exists, a server that never starts, and a folder with a project file."""
    here = tmp_path_factory.mktemp("here")
    (here / "scoring.toml").write_text(
        '[names]\nmodel = "m"\nendpoint = "end"\nkubernetes_endpoint = "end-aks"\n'
        'batch_endpoint = "end-batch"\n'
    )
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: Still({"blue": 100}))
    monkeypatch.setattr(targets, "models", lambda *_: Described(tmp_path))
    monkeypatch.setattr(os, "execv", in_place_of_the_server)
    monkeypatch.setattr("mlops.batch.run.Run.__call__", in_place_of_the_server)
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: None)
    monkeypatch.chdir(here)
    yield
    logging.disable(logging.NOTSET)  # a command that has a process of its own may silence it


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    with hostile(lambda _: [answer(b'{"error": "No."}', status="400 Bad Request")]) as url:
        yield url
