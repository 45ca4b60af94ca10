"""A load, an autoscaler and its pods over time, second by second.

What it takes for granted: requests are spread evenly over the pods that are ready; all cost the same; a pod is ready
``PodModel.start`` seconds after it was asked for, and never fails; usage is a mean over the window of the metrics API.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mlops.hpa.behaviour import History, changed
from mlops.hpa.controller import SYNC, Resource, look
from mlops.hpa.manifest import Setup
from mlops.hpa.pod import PodModel
from mlops.hpa.replicas import METRIC_WINDOW, Pod

WARM_UP = 900
"""Seconds under the first second's load, before what is shown: the replicas to start from."""

MINUTE = 60

QUERY_WINDOW = 60
"""Seconds that requests in flight are a mean of: the range of KEDA's query."""


@dataclass(frozen=True)
class Timeline:
    """One number for each second. ``utilisation``: CPU, percent of the requests, of the pods that are ready;
    ``shed``: share of the requests; ``waiting``: requests in all queues. ``later``: [minute, latency] how many requests
    were answered later than that.
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
    """The pods, oldest first. A pod that is told to stop takes no more requests, and ends what it has."""

    def __init__(self, replicas: int, start: float) -> None:
        self._start = start
        self._since = [-np.inf] * replicas

    def __len__(self) -> int:
        return len(self._since)

    def ready(self, now: float) -> int:
        return sum(now >= since + self._start for since in self._since)

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
    rates = np.concatenate([np.full(WARM_UP, load[0]), load])
    fleet, history = Fleet(scaler.low, model.start), History()
    replicas, ready = np.zeros(len(rates), int), np.zeros(len(rates), int)
    cores, in_flight = np.zeros(len(rates)), np.zeros(len(rates))
    share = lru_cache(model.share)
    for now, rate in enumerate(rates):
        if now and now % SYNC == 0:
            usage = cores[max(0, now - int(METRIC_WINDOW)) : now].mean()
            pods: dict[Resource, list[Pod]] = {
                "cpu": fleet.seen(now, usage, float(setup.cpu)),
                "memory": fleet.seen(now, model.memory, float(setup.memory)),
            }
            asked = in_flight[max(0, now - QUERY_WINDOW) : now].mean()
            wanted, history = look(scaler, len(fleet), pods, asked, history, now)
            history = changed(history, now, wanted - len(fleet), scaler.behaviour)
            fleet.scale(wanted, now)
        replicas[now], ready[now] = len(fleet), fleet.ready(now)
        if ready[now]:
            cores[now], held = share(rate / ready[now])
            in_flight[now] = ready[now] * held
    shown = slice(WARM_UP, None)
    return _measured(setup, model, load, replicas[shown], ready[shown], cores[shown])


def _measured(
    setup: Setup, model: PodModel, load: np.ndarray, replicas: np.ndarray, ready: np.ndarray, cores: np.ndarray
) -> Timeline:
    shed, waiting, later = np.ones(len(load)), np.zeros(len(load)), []
    for start in range(0, len(load), MINUTE):
        of = slice(start, start + MINUTE)
        likely = model.held_by(load[of] / np.maximum(ready[of], 1))
        share, served = model.later(likely), ready[of] > 0
        shed[of] = np.where(served, likely[:, -1], 1)
        waiting[of] = ready[of] * (likely @ np.maximum(np.arange(likely.shape[1]) - model.slots, 0))
        later.append((load[of] * served) @ share)
    return Timeline(
        name=setup.name,
        model=model,
        rate=load,
        replicas=replicas,
        ready=ready,
        utilisation=100 * cores / float(setup.cpu),
        shed=shed,
        waiting=waiting,
        later=np.array(later),
    )
