"""Lets a pickle import its author's modules: from beside score.py, from PYTHONPATH and, if it is
not packaged, from its own folder."""

from __future__ import annotations

import sys

from azureml_scoring.models.files.artifact import Artifact

SERVER_FOLDER = "azureml_inference_server_http/server"
"""azmlinfsrv puts this folder on sys.path, where its utils.py and config.py would hide the
author's. It imports them as parts of its package itself."""


def make_importable(artifact: Artifact) -> None:
    """Put the model's folder on the path, after all others.

    Does nothing if the model has a manifest, whose checksums do not cover that code. Without one,
    whoever can write the code can write the pickle, which runs code too (docs/adr/0003).
    """
    path = [entry for entry in sys.path if not entry.endswith(SERVER_FOLDER)]
    folder = str(artifact.file.parent.absolute())
    if artifact.manifest is None and folder not in path:
        path.append(folder)
    sys.path[:] = path
