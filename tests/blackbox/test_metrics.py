from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

import support
from blackbox.server import THREADS, Server, serving, until
from mlops.cli import main


def scraped(server: Server) -> dict[tuple[str, ...], float]:
    response = server.fresh("GET", "/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_metrics_are_right_over_workers(demo_model: Path, tmp_path: Path):
    """Any worker reports how all requests ended, and how long their stages took."""
    with serving(demo_model, tmp_path, **THREADS | {"SCORING_CACHE": "off"}) as server:
        for _ in range(20):
            assert (
                server.fresh("POST", "/score", {"data": [support.ROW, support.ROW]}).status_code
                == 200
            )
        server.fresh("POST", "/score", {"data": [["text"]]})
        server.fresh("POST", "/score", {"rows": []})
        until(
            lambda: scraped(server)["scoring_requests_total", "unknown_form"] == 1,
            "all are counted",
        )
        found = scraped(server)
        assert found["scoring_requests_total", "ok"] == 20
        assert found["scoring_rows_total",] == 40
        assert found["scoring_duration_seconds_count", "request"] == 20
        for stage in ("validate", "predict", "serialise"):
            assert found["scoring_duration_seconds_count", stage] == 20
        assert found["scoring_duration_seconds_bucket", "+Inf", "request"] == 20
        assert found["scoring_ready",] == 1
        assert found["scoring_workers",] == 2
        assert found["scoring_model_info", "onnx", "local", "diabetes-classifier", "v1.2.3"] == 1


@pytest.mark.any_worker
def test_drift_shows_where_the_data_has_moved(demo_model: Path, tmp_path: Path):
    """Drift is in the metrics, over all workers, with that of the answers, and in the files that
    `mlops drift` reads."""
    collected = tmp_path / "collected"
    collected.mkdir()
    on = {
        "SCORING_CACHE": "off",
        "SCORING_COLLECT_SAMPLE": "1",
        "SCORING_COLLECT_FOLDER": str(collected),
    }
    X, _ = support.diabetes()
    rows = X.assign(age=X["age"] + 30).sample(700, replace=True, random_state=0).to_numpy()
    rows[:, X.columns.get_loc("bmi")] += np.linspace(0, 0.01, 700)  # no row comes twice
    with serving(demo_model, tmp_path, **THREADS | on) as server:
        for row in rows.tolist():
            assert server.score([row]).status_code == 200
        until(lambda: ("scoring_feature_drift", "age") in scraped(server), "there are rows enough")
        until(
            lambda: sum(len(file.read_bytes().splitlines()) for file in collected.iterdir()) == 700,
            "all are kept",
        )
        found = {
            key[1]: value
            for key, value in scraped(server).items()
            if key[0] == "scoring_feature_drift"
        }
        assert found.pop("age") > 0.5
        assert max(found[name] for name in ("bp", "s1", "s2", "s5")) < 0.1
        assert scraped(server)["scoring_data_dropped_total",] == 0
    result = CliRunner().invoke(
        main, ["drift", str(demo_model), *map(str, collected.iterdir()), "--limit", "0.1"]
    )
    assert result.exit_code == 1
    assert "age has drifted by more than 0.1" in result.output
