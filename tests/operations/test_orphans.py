"""Processes that must end with whoever started them."""

import signal
import subprocess
import sys

import pytest

from blackbox.server import PATIENCE
from places import REPOSITORY

HELPERS = {
    "announcer": (["mlops", "announce", "{parent}", "--port", "1"], 0),
    "container": (["mlops.rehearsal.container", "{parent}", "sleep", "600"], -signal.SIGKILL),
    "Redis": (["mlops", "local-redis", "{parent}"], 0),
}
"""How each is started, and its exit status: the container kills its whole group, itself
included."""


@pytest.mark.parametrize("name", HELPERS)
def test_one_whose_parent_was_killed_meanwhile_ends(name: str):
    """The process ends even if its parent died before it looked who that is."""
    with subprocess.Popen(["true"]) as parent:  # gone, once this is through
        pass
    words, status = HELPERS[name]
    command = [sys.executable, "-m", *(word.format(parent=parent.pid) for word in words)]
    done = subprocess.run(
        command, check=False, cwd=REPOSITORY, start_new_session=True, timeout=PATIENCE
    )
    assert done.returncode == status
