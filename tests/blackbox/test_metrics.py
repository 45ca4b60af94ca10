from pathlib import Path

from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

import support
from azureml_scoring.models.baseline import DRIFTED_PSI, WATCH_PSI
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


def test_drift_shows_where_the_data_has_moved(demo_model: Path, tmp_path: Path):
    """Drift is in the metrics, over all workers, and in the files that `mlops drift` reads."""
    collected = tmp_path / "collected"
    collected.mkdir()
    on = {
        "SCORING_CACHE": "off",
        "SCORING_COLLECT_SAMPLE": "1",
        "SCORING_COLLECT_FOLDER": str(collected),
    }
    X, _ = support.diabetes()
    older = X.assign(age=X["age"] + 30)
    with serving(demo_model, tmp_path, **THREADS | on) as server:
        for start in range(0, len(older), 50):
            rows = older.iloc[start : start + 50].to_numpy().tolist()
            for _ in range(2):
                assert server.fresh("POST", "/score", {"data": rows}).status_code == 200
        until(lambda: ("scoring_feature_drift", "age") in scraped(server), "there are rows enough")
        until(
            lambda: sum(len(file.read_bytes().splitlines()) for file in collected.iterdir()) == 18,
            "all are kept",
        )
        found = {
            key[1]: value
            for key, value in scraped(server).items()
            if key[0] == "scoring_feature_drift"
        }
        assert found.pop("age") > DRIFTED_PSI
        assert max(found.values()) < WATCH_PSI
        assert scraped(server)["scoring_data_dropped_total",] == 0
    result = CliRunner().invoke(
        main, ["drift", str(demo_model), *map(str, collected.iterdir()), "--limit", "0.25"]
    )
    assert result.exit_code == 1
    assert "age is above 0.25" in result.output
