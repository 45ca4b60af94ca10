"""Installs each peer in its own environment, since their requirements conflict."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv

from servers import BENCHMARKS, BUILD, Unusable


def install(peer: str) -> None:
    """Create the peer's environment below build/bench, once. Raises Unusable."""
    folder, requirements = BUILD / peer, BENCHMARKS / "peers" / peer / "requirements.txt"
    installed = folder / "made-of.txt"
    if installed.exists() and installed.read_text() == requirements.read_text():
        return
    print(f"Installing {peer} (once)", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    pip = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "install",
    ]
    done = subprocess.run(  # noqa: S603
        [*pip, "-r", requirements],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unusable(f"could not be installed: {done.stdout.strip().splitlines()[-1]}")
    installed.write_text(requirements.read_text())


def check_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("The benchmark needs wrk; install it with `apt-get install wrk`.")
