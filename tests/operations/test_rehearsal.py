"""The rollout's controller against real servers, as in `make rehearse`."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest

from blackbox.server import HTTP
from examples import few_of
from mlops.endpoint import Traffic, direct
from mlops.rehearsal.greens import GREENS, artifact, data
from mlops.rehearsal.local_endpoint import LocalEndpoint, stage
from mlops.rehearsal.rehearsal import NEW, OLD, RULES, rehearse, set_up
from mlops.rollout import progress, report
from mlops.rollout.compare_command import say_comparison
from mlops.rollout.journal import Journal
from mlops.rollout.questions import Questions
from places import REPOSITORY
from template import COMMAND, Forked

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the models, which are made once."""
    return tmp_path_factory.mktemp("rehearsal")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The endpoint that all rehearsals of this module share."""
    with stage() as made:
        yield made


@pytest.mark.parametrize("green", few_of(GREENS, ["good", "failing", "killed"]))
def test_each_green_ends_as_it_must(green: str, url: str, folder: Path):
    """No more clients fail than the share of the traffic that the step gives the new deployment.
    `make deep` rehearses all greens."""
    done = rehearse(green, url, folder, progress.follow)
    assert not done.problems
    page = folder / f"{green}.html"
    report.write(Journal(done.journal).last(), page, RULES.slo)
    text = page.read_text()
    assert GREENS[green].ends in text
    assert not re.findall(r'(?:src|href)="(?!#)|<script|@import', text)  # nothing is fetched
    ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])


def test_two_deployments_are_compared(
    url: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The comparison has a table and a picture."""
    good = artifact(folder / "models", GREENS["good"])
    endpoint = LocalEndpoint(url, {OLD: good, NEW: good}, tmp_path)
    set_up(endpoint)
    endpoint.deploy(NEW)
    since = time.time()
    direct(endpoint, Traffic({OLD: 50, NEW: 50}))
    row = orjson.dumps({"data": data()[0].iloc[:1].to_numpy().tolist()})
    for _ in range(60):
        HTTP.post(f"{url}/score", content=row, headers={"Content-Type": "application/json"})
    rows = data()[0].head(50).to_numpy().tolist()
    say_comparison(endpoint, OLD, NEW, since, Questions(rows=rows), tmp_path)
    out = capsys.readouterr().out
    assert "predictions that differ, %" in out
    ElementTree.parse(tmp_path / "rehearsal-blue-green.svg")


@pytest.mark.parametrize("number", few_of([signal.SIGINT, signal.SIGTERM], [signal.SIGTERM]))
def test_an_interrupt_puts_the_traffic_back(folder: Path, tmp_path: Path, number: signal.Signals):
    """The command says so, and exits with a status that a pipeline sees. `make deep` has Ctrl-C
    too."""
    journal = folder / "good" / "journal.jsonl"
    journal.unlink(missing_ok=True)
    output = tmp_path / "output"
    process = Forked(
        ["-m", "mlops", "rehearse", "good", "--out", str(folder)],
        cwd=REPOSITORY,
        env=os.environ,
        output=output,
        imported=COMMAND,
    )
    while f"{OLD} 90 %, {NEW} 10 %" not in output.read_text():
        assert process.poll() is None, output.read_text()
        time.sleep(0.05)
    os.killpg(process.pid, number)
    assert process.wait() == 1, output.read_text()
    assert f"interrupted by {number.name}" in output.read_text()
    ended = Journal(journal).last()[-1]
    assert (ended["event"], ended["outcome"]) == ("ended", "interrupted")
