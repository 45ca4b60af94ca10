"""Sends the requests: Locust, in a process of its own, because it patches all of Python's sockets
and threads.

``python -m mlops.load.generator PARENT`` reads a plan from standard input and writes a line for
each answer. A request has a moment when it is due, whatever became of those before, and its latency
counts from then: a server that stalls is charged for all that would have come meanwhile (no
coordinated omission). Locust's users are the connections.
"""

from __future__ import annotations

from locust import FastHttpUser, task  # isort: skip  it patches, before all else is imported

import contextlib
import os
import sys
import time
from typing import Any

import gevent
import orjson
from gevent.queue import JoinableQueue
from locust.env import Environment

from mlops.load.mix import Kind, Mix, as_it_should
from mlops.load.stages import Stage, arrivals
from mlops.model_status import model_status

FLUSH_S = 0.25
SPAWN_RATE = 100
"""Connections a second, before the first request; Locust warns of more."""


def run(plan: dict[str, Any], parent: int) -> None:
    """``plan``: what ``mlops.load.run.Plan`` holds; ``parent``: the process that reads the
    answers."""
    mix = Mix(plan["rows"], {Kind(kind): share for kind, share in plan["shares"].items()})
    due_requests: JoinableQueue = JoinableQueue()
    lines: list[str] = []

    class Client(FastHttpUser):
        host = plan["url"]
        insecure = False
        network_timeout = connection_timeout = plan["timeout_s"]
        default_headers = plan["headers"]

        @task
        def ask(self) -> None:
            stage, due, kind, body = due_requests.get()
            sent, status = time.perf_counter(), 0
            try:
                with self.client.post(
                    plan["url"], data=body, name=kind, catch_response=True
                ) as response:
                    status = model_status(response.status_code, response.headers or {})
                    response.request_meta["response_time"] = 1000 * (time.perf_counter() - due)
                    response.success() if as_it_should(kind, status) else response.failure(
                        str(status)
                    )
            finally:
                waited, took = 1000 * (sent - due), 1000 * (time.perf_counter() - due)
                lines.append(f"{stage},{kind},{due - began:.6f},{waited:.3f},{took:.3f},{status}\n")
                due_requests.task_done()

    def flush() -> None:
        text = "".join(lines)
        lines.clear()
        sys.stdout.write(text)
        sys.stdout.flush()

    def flush_often() -> None:
        """Until whoever started this is gone: the load would go on without anybody to stop it."""
        while os.getppid() == parent:
            with contextlib.suppress(BrokenPipeError):
                flush()
            gevent.sleep(FLUSH_S)
        os._exit(1)

    runner = Environment(user_classes=[Client], host=Client.host).create_local_runner()
    runner.start(plan["connections"], spawn_rate=SPAWN_RATE)
    gevent.wait([runner.spawning_greenlet])
    writer = gevent.spawn(flush_often)
    began, used = time.perf_counter(), time.process_time()
    for stage, due in arrivals([Stage(**each) for each in plan["stages"]]):
        kind, body = mix.next()
        gevent.sleep(max(0.0, began + due - time.perf_counter()))
        due_requests.put((stage, began + due, kind, body))
    due_requests.join()
    writer.kill()
    flush()
    print(f"cpu,{(time.process_time() - used) / (time.perf_counter() - began):.3f}", flush=True)
    runner.quit()


if __name__ == "__main__":
    run(orjson.loads(sys.stdin.buffer.read()), int(sys.argv[1]))
