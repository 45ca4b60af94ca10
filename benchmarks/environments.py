"""An environment of its own for each peer, made once: their requirements do not go together, nor
with ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv

from servers import BENCHMARKS, BUILD, Unusable


def install(peer: str) -> None:
    """Below build/bench. Raises Unusable."""
    folder, requirements = BUILD / peer, BENCHMARKS / "peers" / peer / "requirements.txt"
    made = folder / "made-of.txt"
    if made.exists() and made.read_text() == requirements.read_text():
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
    made.write_text(requirements.read_text())


def check_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("The benchmark needs wrk; get it by `apt-get install wrk`.")
