"""Drift in ``/metrics``, written by hand: a model of many columns has thousands of bins.

Bins are counters, so that Prometheus adds up those of all replicas and restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from azureml_scoring.signals.drift import DriftMonitor


def exposition(monitor: DriftMonitor, version: str) -> str:
    """Return the metrics as text, format 0.0.4."""
    of_version = f'model_version="{_escaped(version)}"'
    cells = [
        (f'{{{of_version},feature="{_escaped(cell.column)}",bin="{cell.bin}"}}', cell)
        for cell in monitor.cells()
    ]
    parts = (
        _family(
            "scoring_feature_drift",
            "gauge",
            "Population stability index beyond chance of the last day, against packaging.",
            ((f'{{feature="{_escaped(name)}"}}', drift.index) for name, drift in monitor.drifts()),
        ),
        _family(
            "scoring_drift_requests_total",
            "counter",
            "Requests by bin of a column, for drift; bin -1 is what the sample hardly has.",
            ((labels, cell.requests) for labels, cell in cells),
        ),
        _family(
            "scoring_drift_baseline_rows",
            "gauge",
            "Rows of the sample that the model was packaged with, by bin of a column.",
            ((labels, cell.rows) for labels, cell in cells),
        ),
        _family(
            "scoring_data_faults_total",
            "counter",
            "Requests whose value of a column is missing, out of the sample's range, or unseen.",
            (
                (
                    f'{{{of_version},feature="{_escaped(name)}",fault="{fault}"}}',
                    requests,
                )
                for name, fault, requests, _ in monitor.faults()
            ),
        ),
        _family(
            "scoring_drift_score_limit",
            "gauge",
            "Standard score above which a column has drifted by more than chance.",
            [(f"{{{of_version}}}", monitor.score_limit)] if cells else [],
        ),
    )
    return "".join(line for part in parts for line in part)


def _family(
    name: str, kind: str, documentation: str, samples: Iterable[tuple[str, float]]
) -> Iterator[str]:
    yield f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        yield f"{name}{labels} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
