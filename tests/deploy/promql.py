"""Evaluates the rules of kubernetes/monitoring/ on arrays: months of many services in a second.

It knows shares of counters, which need months to be measured; promtool knows everything and takes
hours. A test compares the two. All expressions are read from the file.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deploy.alert_names import PROMETHEUS_ALERTS, RULES

MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
COUNTED = re.compile(
    r"sum by \(job\) \(increase\((\w+?)(?:_total|_bucket)(?:\{([^}]*)\})?\[(\w+)\]\)\)"
)
RECORDED = re.compile(r"\bjob:\w+:\w+")
RECORDS: dict[str, str] = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {"sqrt": np.sqrt, "clamp_min": np.maximum}


@dataclass(frozen=True)
class Traffic:
    """What happens in each minute, as arrays whose last axis is time: requests that succeed, those
    that fail (by a prediction that is not finite, each of one row), and successes that take longer
    than 200 and 500 ms."""

    ok: np.ndarray
    failed: np.ndarray
    over_200ms: np.ndarray
    over_500ms: np.ndarray

    def counter(self, metric: str, labels: str) -> np.ndarray:
        """Return the increments of a metric's series with these labels."""
        if metric == "scoring_requests":
            return self.failed + self.ok if "ok" in labels else self.failed
        if metric == "scoring_rows":
            return self.failed + self.ok
        if metric == "scoring_non_finite":
            return self.failed
        assert metric == "scoring_duration_seconds", metric
        slow = {"+Inf": 0, "0.2": self.over_200ms, "0.5": self.over_500ms}
        return self.ok - slow[re.findall(r'le="([^"]*)"', labels)[0]]


def minutes(duration: str) -> int:
    return int(duration[:-1]) * MINUTES[duration[-1]]


def over(counts: np.ndarray, span: int) -> np.ndarray:
    """Return sums over the last ``span`` along the last axis, at the end of each; fewer at its
    start."""
    total = np.cumsum(counts, axis=-1)
    total[..., span:] -= total[..., :-span].copy()
    return total


class Prometheus:
    """Rules over traffic. An alert looks once a minute."""

    def __init__(self, traffic: Traffic, alerts: Mapping[str, Any] = PROMETHEUS_ALERTS) -> None:
        self._traffic = traffic
        self._alerts = alerts
        self._known: dict[str, np.ndarray] = {}

    def firing(self, name: str) -> np.ndarray:
        """Return whether the alert fires at the end of each minute."""
        alert = self._alerts[name]
        with np.errstate(invalid="ignore", divide="ignore"):
            met = self._value(alert["expr"])
        waited = minutes(alert.get("for", "0m")) + 1
        kept = minutes(alert.get("keep_firing_for", "0m")) + 1
        return over((over(met.astype(int), waited) == waited).astype(int), kept) > 0

    def _value(self, expression: str) -> Any:
        leaves: dict[str, np.ndarray] = {}

        def leaf(value: np.ndarray) -> str:
            name = f"leaf{len(leaves)}"
            leaves[name] = value
            return name

        text = COUNTED.sub(lambda found: leaf(self._counted(*found.groups())), expression)
        text = RECORDED.sub(lambda found: leaf(self._recorded(found[0])), text)
        return _evaluated(ast.parse(" ".join(text.replace("^", "**").split()), mode="eval"), leaves)

    def _counted(self, metric: str, labels: str | None, window: str) -> np.ndarray:
        return over(self._traffic.counter(metric, labels or "").astype(float), minutes(window))

    def _recorded(self, name: str) -> np.ndarray:
        if name not in self._known:
            self._known[name] = self._value(RECORDS[name])
        return self._known[name]


def _evaluated(node: ast.AST, leaves: Mapping[str, np.ndarray]) -> Any:
    match node:
        case ast.Expression(body=body):
            return _evaluated(body, leaves)
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return leaves[name]
        case ast.BinOp(left=left, op=kind, right=right):
            return OPERATORS[type(kind)](_evaluated(left, leaves), _evaluated(right, leaves))
        case ast.Compare(left=left, ops=[kind], comparators=[right]):
            return OPERATORS[type(kind)](_evaluated(left, leaves), _evaluated(right, leaves))
        case ast.BoolOp(op=kind, values=values):
            both = np.logical_and if isinstance(kind, ast.And) else np.logical_or
            return both.reduce([_evaluated(value, leaves) for value in values])
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name](*(_evaluated(argument, leaves) for argument in arguments))
    raise NotImplementedError(ast.dump(node))
