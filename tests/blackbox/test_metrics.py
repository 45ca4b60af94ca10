from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

import support
from blackbox.server import THREADS, Server, serving, until


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
    """Whichever of them is scraped: how requests ended, and how long their stages took."""
    with serving(demo_model, tmp_path, **THREADS | {"SCORING_CACHE": "off"}) as server:
        for _ in range(20):
            assert server.fresh("POST", "/score", {"data": [support.ROW, support.ROW]}).status_code == 200
        server.fresh("POST", "/score", {"data": [["text"]]})
        server.fresh("POST", "/score", {"rows": []})
        until(lambda: scraped(server)["scoring_requests_total", "unknown_form"] == 1, "all are counted")
        found = scraped(server)
        assert found["scoring_requests_total", "ok"] == 20
        assert found["scoring_rows_total",] == 40
        assert found["scoring_duration_seconds_count", "request"] == 22
        for stage in ("validate", "predict", "serialise"):
            assert found["scoring_duration_seconds_count", stage] == 20
        assert found["scoring_duration_seconds_bucket", "+Inf", "request"] == 22
        assert found["scoring_workers",] == 2
        assert found["scoring_model_info", "onnx", "local", "diabetes-classifier", "v1.2.3"] == 1
