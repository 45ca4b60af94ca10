"""A process that has imported what every server imports, and forks servers: each starts in a
quarter of the processor time.

Neither our modules nor azmlinfsrv's are imported here, as they read the environment. Run as a
script, it takes orders on its standard input and answers each with one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

IMPORTED = (
    "azure.monitor.opentelemetry.exporter",
    "flask_cors",
    "gunicorn.app.wsgiapp",
    "pydantic_settings",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "uvicorn",
)


class Started(subprocess.Popen[bytes]):
    """A server that is started as users start it."""

    def __init__(self, args: list[str], *, cwd: Path, env: dict[str, str], output: Path) -> None:
        with output.open("ab") as log:
            super().__init__(args, cwd=cwd, env=env, stdout=log, stderr=log, start_new_session=True)


class Forked:
    """A server that the template has forked, with the part of Popen that tests use."""

    def __init__(self, args: list[str], *, cwd: Path, env: dict[str, str], output: Path) -> None:
        self.args = args
        self.returncode: int | None = None
        self._template = _template()
        self.pid: int = self._template.ask(
            args=self.args, cwd=str(cwd), env=env, output=str(output)
        )

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._template.ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        limit = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > limit:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.02)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


class _Template:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=kept | {"OPENBLAS_NUM_THREADS": "1"},  # one that has threads should not fork
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def ask(self, **order: Any) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            return json.loads(self._process.stdout.readline())


@cache
def _template() -> _Template:
    """Return this process's template, which ends with it."""
    return _Template()


def main() -> None:
    """Obey orders until there are no more. Returns in each forked server too, once it ends."""
    del sys.path[0]  # the folder of this script
    for name in IMPORTED:
        importlib.import_module(name)
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "ended" in order:
            pid, status = os.waitpid(order["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                _become(**order)
                return
        print(json.dumps(answer), flush=True)


def _become(args: list[str], cwd: str, env: dict[str, str], output: str) -> None:
    """Run a Python script as if it had been started."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    log = os.open(output, os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)
    sys.argv = args
    sys.path[:0] = [
        str(Path(args[0]).parent),
        *filter(None, env.get("PYTHONPATH", "").split(os.pathsep)),
    ]
    runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    main()
