"""The lines that a request leaves in the log."""

import re
from pathlib import Path

from blackbox.server import (
    ONE_WORKER,
    serving,
    until,
)


def test_a_request_leaves_one_line(scripted_model: Path, tmp_path: Path):
    """Flask adds no line of its own, and a probe leaves none."""
    by_flask = ONE_WORKER | {"AML_CORS_ORIGINS": "https://a.example"}
    with serving(scripted_model, tmp_path, **by_flask) as server:
        for _ in range(3):
            server.score([[0]])
            server.get("/readiness")
        until(lambda: server.log.count(" completed in ") == 3, "there is a line for each")
        assert not re.search(r"POST /score|GET /readiness|HTTP Response", server.log)


def test_the_servers_access_log_can_be_had(scripted_model: Path, tmp_path: Path):
    """The server's line comes beside ours for each request."""
    with serving(scripted_model, tmp_path, **ONE_WORKER | {"SCORING_ACCESS_LOG": "true"}) as server:
        server.get("/readiness")
        until(
            lambda: re.search(r"GET /readiness[^\n]* 200", server.log),
            "there is a line for a probe",
        )
