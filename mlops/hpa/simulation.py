"""A load, an autoscaler and its pods over time, second by second.

The simulation assumes that requests are spread evenly over the ready pods and all cost the same,
that a pod is ready ``PodModel.start`` seconds after it was created and never fails, and that usage
is a mean over the window of the metrics API.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.hpa.behaviour import History, changed
from mlops.hpa.controller import SYNC_S, Resource, look
from mlops.hpa.manifest import Setup
from mlops.hpa.pod import PodModel
from mlops.hpa.replicas import METRIC_WINDOW_S, Pod

WARM_UP_S = 900
"""Time under the first second's load, before what is shown: whole minutes."""

MINUTE = 60
"""Seconds."""

QUERY_WINDOW_S = 60
"""The offered load is a mean over this time: the range of KEDA's query."""


@dataclass(frozen=True)
class Timeline:
    """What a simulation shows: one number for each second.

    ``utilisation``: CPU of the ready pods, in percent of what they request. ``shed``: share of the
    requests. ``waiting``: requests in all queues. ``later``: [minute, latency], how many requests
    took longer than that.
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
    """The pods, oldest first. A pod that is stopped takes no more requests and finishes those it
    has."""

    def __init__(self, replicas: int, start: float) -> None:
        self._start = start
        self._since = [-np.inf] * replicas

    def __len__(self) -> int:
        return len(self._since)

    def ready(self, seconds: np.ndarray) -> np.ndarray:
        """Return how many pods are ready in each of ``seconds``."""
        counts: np.ndarray = (seconds[:, None] >= np.array(self._since) + self._start).sum(axis=1)
        return counts

    def scale(self, replicas: int, now: float) -> None:
        """Add pods, or remove the youngest first, as a ReplicaSet does."""
        self._since = (self._since + [now] * max(0, replicas - len(self)))[:replicas]

    def seen(self, now: float, usage: float, request: float) -> list[Pod]:
        """Return the pods as the controller sees them; each uses and requests the same."""
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


@dataclass(frozen=True)
class _Seconds:
    """What happens in each second, filled in from look to look. ``later`` as in ``Timeline``."""

    rate: np.ndarray
    replicas: np.ndarray
    ready: np.ndarray
    cores: np.ndarray
    offered: np.ndarray
    shed: np.ndarray
    waiting: np.ndarray
    later: np.ndarray

    @classmethod
    def of(cls, rate: np.ndarray, latencies: int) -> _Seconds:
        """``rate``: requests/s in each second. ``latencies``: how many ``later`` has."""
        replicas, ready = np.zeros((2, len(rate)), int)
        cores, offered, shed, waiting = np.zeros((4, len(rate)))
        later = np.zeros((-(-len(rate) // MINUTE), latencies))
        return cls(rate, replicas, ready, cores, offered, shed, waiting, later)


def simulate(setup: Setup, model: PodModel, load: np.ndarray) -> Timeline:
    """Simulate ``load``: requests/s, one number for each second."""
    rate = np.concatenate([np.full(WARM_UP_S, load[0]), load])
    seconds = _Seconds.of(rate, len(model.latencies))
    fleet, history = Fleet(setup.autoscaler.low, model.start), History()
    for now in range(0, len(rate), SYNC_S):
        if now:
            history = _scale(setup, model, fleet, seconds, history, now)
        _serve(model, fleet, seconds, now)
    shown = slice(WARM_UP_S, None)
    return Timeline(
        name=setup.name,
        model=model,
        rate=load,
        replicas=seconds.replicas[shown],
        ready=seconds.ready[shown],
        utilisation=100 * seconds.cores[shown] / float(setup.cpu),
        shed=seconds.shed[shown],
        waiting=seconds.waiting[shown],
        later=seconds.later[WARM_UP_S // MINUTE :],
    )


def _scale(
    setup: Setup, model: PodModel, fleet: Fleet, seconds: _Seconds, history: History, now: int
) -> History:
    """Let the controller look at the seconds before ``now``, and scale the fleet."""
    usage = seconds.cores[max(0, now - int(METRIC_WINDOW_S)) : now].mean()
    offered = seconds.offered[max(0, now - QUERY_WINDOW_S) : now].mean()
    pods: dict[Resource, list[Pod]] = {
        "cpu": fleet.seen(now, usage, float(setup.cpu)),
        "memory": fleet.seen(now, model.memory, float(setup.memory)),
    }
    replicas, history = look(setup.autoscaler, len(fleet), pods, offered, history, now)
    history = changed(history, now, replicas - len(fleet), setup.autoscaler.behaviour)
    fleet.scale(replicas, now)
    return history


def _serve(model: PodModel, fleet: Fleet, seconds: _Seconds, now: int) -> None:
    """Fill in the seconds from ``now`` to the next look: requests in the pods' queues."""
    until = slice(now, now + SYNC_S)
    rate = seconds.rate[until]
    ready = fleet.ready(np.arange(now, now + SYNC_S))[: len(rate)]
    rate_per_pod = np.divide(rate, ready, out=np.zeros(len(rate)), where=ready > 0)
    load = model.under(rate_per_pod)
    seconds.replicas[until] = len(fleet)
    seconds.ready[until] = ready
    seconds.cores[until] = load.used
    seconds.offered[until] = ready * load.offered
    seconds.waiting[until] = ready * load.waiting
    seconds.shed[until] = np.where(ready > 0, load.shed, 1)
    seconds.later[now // MINUTE] += (rate * (ready > 0)) @ load.later
