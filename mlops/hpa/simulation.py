"""A load, an autoscaler and its pods over time, second by second.

What it takes for granted: requests are spread evenly over the pods that are ready; all cost the
same; a pod is ready ``PodModel.start`` seconds after it was asked for, and never fails; usage is a
mean over the window of the metrics API.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.hpa.behaviour import History, changed
from mlops.hpa.controller import SYNC, Resource, look
from mlops.hpa.manifest import Setup
from mlops.hpa.pod import PodModel
from mlops.hpa.replicas import METRIC_WINDOW, Pod

WARM_UP = 900
"""Seconds under the first second's load, before what is shown: whole minutes."""

MINUTE = 60

QUERY_WINDOW = 60
"""Seconds that requests in flight are a mean of: the range of KEDA's query."""


@dataclass(frozen=True)
class Timeline:
    """One number for each second. ``utilisation``: CPU, percent of the requests, of the pods that
    are ready; ``shed``: share of the requests; ``waiting``: requests in all queues. ``later``:
    [minute, latency] how many requests were answered later than that.
    """

    name: str
    model: PodModel
    rate: np.ndarray
    replicas: np.ndarray
    ready: np.ndarray
    utilisation: np.ndarray
    shed: np.ndarray
    waiting: np.ndarray
    later: np.ndarray


class Fleet:
    """The pods, oldest first. A pod that is told to stop takes no more requests, and ends what it
    has."""

    def __init__(self, replicas: int, start: float) -> None:
        self._start = start
        self._since = [-np.inf] * replicas

    def __len__(self) -> int:
        return len(self._since)

    def ready(self, seconds: np.ndarray) -> np.ndarray:
        """How many are, in each."""
        counts: np.ndarray = (seconds[:, None] >= np.array(self._since) + self._start).sum(axis=1)
        return counts

    def scale(self, replicas: int, now: float) -> None:
        """The youngest go first, as the ReplicaSet has it."""
        self._since = (self._since + [now] * max(0, replicas - len(self)))[:replicas]

    def seen(self, now: float, usage: float, request: float) -> list[Pod]:
        pods = []
        for since in self._since:
            ready = now >= since + self._start
            changed = since + self._start if ready else since
            pods.append(
                Pod(
                    ready=ready,
                    age=now - since,
                    transition_age=now - changed,
                    usage=round(1000 * usage),
                    request=round(1000 * request),
                )
            )
        return pods


def simulate(setup: Setup, model: PodModel, load: np.ndarray) -> Timeline:
    """``load``: requests/s, one number for each second."""
    scaler = setup.autoscaler
    rate = np.concatenate([np.full(WARM_UP, load[0]), load])
    fleet, history = Fleet(scaler.low, model.start), History()
    replicas, ready = np.zeros(len(rate), int), np.zeros(len(rate), int)
    cores, in_flight, shed, waiting = np.zeros((4, len(rate)))
    later = np.zeros((-(-len(rate) // MINUTE), len(model.latencies)))
    for now in range(0, len(rate), SYNC):
        if now:
            usage = cores[max(0, now - int(METRIC_WINDOW)) : now].mean()
            pods: dict[Resource, list[Pod]] = {
                "cpu": fleet.seen(now, usage, float(setup.cpu)),
                "memory": fleet.seen(now, model.memory, float(setup.memory)),
            }
            asked = in_flight[max(0, now - QUERY_WINDOW) : now].mean()
            wanted, history = look(scaler, len(fleet), pods, asked, history, now)
            history = changed(history, now, wanted - len(fleet), scaler.behaviour)
            fleet.scale(wanted, now)
        until = slice(now, now + SYNC)
        replicas[until] = len(fleet)
        ready[until] = fleet.ready(np.arange(now, now + SYNC))[: len(rate) - now]
        share = np.divide(
            rate[until], ready[until], out=np.zeros(len(rate[until])), where=ready[until] > 0
        )
        likely = model.held_by(share)
        cores[until] = model.used(share, likely)
        in_flight[until] = ready[until] * model.held_mean(likely)
        waiting[until] = ready[until] * model.waiting_mean(likely)
        shed[until] = np.where(ready[until] > 0, likely[:, -1], 1)
        later[now // MINUTE] += (rate[until] * (ready[until] > 0)) @ model.later(likely)
    shown = slice(WARM_UP, None)
    return Timeline(
        name=setup.name,
        model=model,
        rate=load,
        replicas=replicas[shown],
        ready=ready[shown],
        utilisation=100 * cores[shown] / float(setup.cpu),
        shed=shed[shown],
        waiting=waiting[shown],
        later=later[WARM_UP // MINUTE :],
    )
