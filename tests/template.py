"""Processes that have imported what others import, and fork them: each starts in a quarter of the
processor time.

Neither our modules nor azmlinfsrv's are imported here, as they read the environment. Run as a
script, with the modules to import, it takes orders on its standard input and answers each with one
line of JSON.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]

SERVER = (
    "azure.monitor.opentelemetry.exporter",
    "flask_cors",
    "gunicorn.app.wsgiapp",
    "httptools",
    "msgspec",
    "orjson",
    "pydantic_settings",
    "simdjson",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
    "yaml",
)
"""What every server imports."""

COMMAND = (
    "aiohttp",
    "httpx",
    "jinja2",
    "joblib",
    "matplotlib.figure",
    "onnx",
    "orjson",
    "pandas",
    "pydantic.dataclasses",
    "redis",
    "simdjson",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "skops.io",
)
"""What commands of `mlops` import, by and by."""


ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""A process that has several should not fork."""


class Started(subprocess.Popen[bytes]):
    """A server that is started as users start it."""

    def __init__(self, args: list[str], *, cwd: Path, env: dict[str, str], output: Path) -> None:
        with output.open("ab") as log:
            super().__init__(args, cwd=cwd, env=env, stdout=log, stderr=log, start_new_session=True)


class Forked:
    """A process that a template has forked, with the part of Popen that tests use. ``args``: of a
    Python interpreter. Both of its streams go to ``output``, unless ``errors`` is another file."""

    def __init__(
        self,
        args: list[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        stdin: Path = Path(os.devnull),
        imported: tuple[str, ...] = SERVER,
    ) -> None:
        self.args = args
        self.output = output
        self.returncode: int | None = None
        output.touch()
        self._template = _template(imported)
        self.pid: int = self._template.ask(
            args=args,
            cwd=str(cwd),
            env=dict(env),
            streams=[str(stdin), str(output), str(errors or output)],
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


def run(
    *words: object, cwd: Path = REPOSITORY, env: Mapping[str, str] = os.environ, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command of a Python interpreter, as subprocess.run does, in a forked process."""
    with tempfile.TemporaryDirectory() as folder:
        given, output, errors = (Path(folder) / name for name in ("stdin", "stdout", "stderr"))
        given.write_text(stdin)
        process = Forked(
            [str(word) for word in words],
            cwd=cwd,
            env=env,
            output=output,
            errors=errors,
            stdin=given,
            imported=COMMAND,
        )
        return subprocess.CompletedProcess(
            process.args, process.wait(), output.read_text(), errors.read_text()
        )


class _Template:
    def __init__(self, imported: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, __file__, *imported],
            env=kept | ONE_THREAD,
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
def _template(imported: tuple[str, ...]) -> _Template:
    """Return this process's template, which ends with it."""
    return _Template(imported)


def main() -> None:
    """Obey orders until there are no more. Returns in each forked process too, once it ends."""
    del sys.path[0]  # the folder of this script
    for name in sys.argv[1:]:
        importlib.import_module(name)
    gc.freeze()  # else each process copies all of the memory as it collects garbage
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


def _become(args: list[str], cwd: str, env: dict[str, str], streams: list[str]) -> None:
    """Do what a Python interpreter with these arguments would."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    flags = (
        os.O_RDONLY,
        os.O_WRONLY | os.O_APPEND | os.O_CREAT,
        os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    )
    for number, (path, flag) in enumerate(zip(streams, flags, strict=True)):
        opened = os.open(path, flag, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    _run(args, [*filter(None, env.get("PYTHONPATH", "").split(os.pathsep))])


def _run(args: list[str], path: list[str]) -> None:
    if safe := args[0] == "-P":
        args = args[1:]
    places = {"-c": "", "-m": os.getcwd()}
    sys.path[:0] = [*([] if safe else [places.get(args[0], str(Path(args[0]).parent))]), *path]
    if args[0] == "-c":
        sys.argv = ["-c", *args[2:]]
        made = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(args[1], vars(made))
    elif args[0] == "-m":
        sys.argv = args[1:]
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = args
        runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    main()
