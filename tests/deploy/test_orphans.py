"""Processes that must not outlive whoever started them."""

import subprocess
import sys

import pytest

from blackbox.server import PATIENCE
from deploy.checkout import REPOSITORY

HELPERS = {
    "container": ["mlops.rehearsal.container", "{parent}", "sleep", "600"],
    "Redis": ["mlops", "local-redis", "{parent}"],
}


@pytest.mark.parametrize("name", HELPERS)
def test_one_whose_parent_was_killed_meanwhile_ends(name: str):
    """Before it could look who that is."""
    with subprocess.Popen(["true"]) as parent:  # gone, once this is through
        pass
    command = [sys.executable, "-m", *(word.format(parent=parent.pid) for word in HELPERS[name])]
    subprocess.run(command, check=False, cwd=REPOSITORY, start_new_session=True, timeout=PATIENCE)
