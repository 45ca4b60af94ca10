from pathlib import Path

import pytest

import support
from mlops.rollout import run_rollout, targets
from mlops.rollout.guard import Task
from mlops.rollout.journal import RolloutOutcome
from still_endpoint import GREEN, Described, Still, started


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.packaged(*support.mixed(), tmp_path_factory.mktemp("packaged"))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, artifact: Path) -> Still:
    """An endpoint in a workspace whose models have manifests."""
    made = Still({"blue": 100})
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: made)
    monkeypatch.setattr(targets, "models", lambda *_: Described(artifact))
    return made


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What would be rolled out; each is promoted at once."""
    seen: list[Task] = []

    def guarded(task: Task) -> RolloutOutcome:
        seen.append(task)
        started(task.journal).write(
            "ended", outcome="promoted", reason="every step was proven", left=[]
        )
        return RolloutOutcome.PROMOTED

    monkeypatch.setattr(run_rollout, "guarded", guarded)
    return seen


@pytest.fixture
def green(tmp_path: Path) -> Path:
    file = tmp_path / "green.yml"
    file.write_text(GREEN)
    return file
