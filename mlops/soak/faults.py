"""The faults of a soak: what happens to the instances and their Redis, as each phase begins."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future

import anyio
from anyio.from_thread import BlockingPortal

from mlops.soak.balancer import ONE, TWO, Balancer

CALM, FROZEN, KILLED, RESTARTED, AGAIN = PHASES = (
    "calm",
    "Redis frozen for half of it",
    "a worker killed",
    "an instance stopped and started again",
    "calm again",
)


class Faults:
    """Causes the faults. ``portal``: to the event loop of ``balancer``."""

    def __init__(
        self, balancer: Balancer, portal: BlockingPortal, redis_pid: int, phase_s: float
    ) -> None:
        self._balancer = balancer
        self._portal = portal
        self._redis = redis_pid
        self._phase_s = phase_s
        self._phase = 0
        self._under_way: list[Future[None]] = []
        self._memory: list[int] = []

    def begin(self, phase: int) -> None:
        """Begin ``phase`` with the first answer to one of its requests."""
        if phase <= self._phase:
            return
        self._phase = phase
        self._memory.append(self._used())
        faults: dict[str, Callable[[], Awaitable[None]]] = {
            FROZEN: self._freeze,
            KILLED: self._kill,
            RESTARTED: self._restart,
        }
        if PHASES[phase] in faults:
            self._under_way.append(self._portal.start_task_soon(faults[PHASES[phase]]))

    def over(self) -> Sequence[int]:
        """Wait until all faults are over; return the memory at the end of each phase, in bytes.
        Raises StartupError."""
        for fault in self._under_way:
            fault.result()
        return [*self._memory, self._used()]

    def thaw(self) -> None:
        """Let Redis go on. Does nothing if it is not frozen."""
        os.kill(self._redis, signal.SIGCONT)

    def _used(self) -> int:
        return sum(worker.memory_info().rss for worker in self._balancer.workers(TWO))

    async def _freeze(self) -> None:
        os.kill(self._redis, signal.SIGSTOP)
        await anyio.sleep(self._phase_s / 2)
        self.thaw()

    async def _kill(self) -> None:
        self._balancer.kill_worker(ONE)

    async def _restart(self) -> None:
        await self._balancer.stop(ONE)
        await self._balancer.start(ONE)
