"""Runs the rules of kubernetes/monitoring/ in promtool, and finds out when which alert fires."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from blackbox.server import needs
from deploy.checkout import REPOSITORY

RULES = REPOSITORY / "kubernetes" / "monitoring" / "rules.yml"
FIRES = re.compile(r"alertname: (\w+), time: (\S+),\s+exp:\[\],")
UNITS = {"h": 60, "m": 1, "s": 1 / 60}


def firing(
    series: Mapping[str, str], minutes: Iterable[int], names: Iterable[str]
) -> dict[str, set[int]]:
    """Return at which of the ``minutes`` each alert fires. ``series``: values a minute by name and
    labels, in promtool's notation."""
    needs("promtool", "prometheus")
    looks = [{"eval_time": f"{minute}m", "alertname": name} for minute in minutes for name in names]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "group_eval_order": ["inference-recordings", "inference-alerts"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": v} for name, v in series.items()],
                "alert_rule_test": looks,
            }
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.yml"
        path.write_text(yaml.safe_dump(test))
        done = subprocess.run(
            ["promtool", "test", "rules", path], capture_output=True, text=True, check=False
        )
    found: dict[str, set[int]] = {name: set() for name in names}
    for name, time in FIRES.findall(done.stderr):
        found[name].add(_minutes(time))
    assert not done.returncode or any(found.values()), done.stdout + done.stderr
    return found


def _minutes(duration: str) -> int:
    """``duration``: as Go writes it, such as 1h2m0s."""
    return round(sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([hms])", duration)))


def counter(increments: Iterable[float]) -> str:
    """Return the values of a counter that begins at 0, in promtool's notation."""
    total, values = 0.0, ["0"]
    for increment in increments:
        total += increment
        values.append(f"{total:g}")
    return " ".join(values)
