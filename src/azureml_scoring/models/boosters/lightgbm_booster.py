"""Reads LightGBM's ``.txt``."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from azureml_scoring.models.boosters.column_names import own_names

CLASSIFIES = re.compile(r"^objective=(binary|multiclass|multiclassova)\b.*$", re.MULTILINE)
SIZES = re.compile(r"^tree_sizes=([\d ]+)$", re.MULTILINE)
TREE = re.compile(rb"(Tree=\d+|end of trees)\n([a-z_]+=[-+.\deinfa ]*\n)*\n*")
"""A tree, or what follows the last one."""


class LightgbmBooster:
    library = "LightGBM"
    threshold = 0.5

    def __init__(self, data: bytes) -> None:
        """Raises an error of the library, or ValueError, for bytes that are no model of it."""
        _check_whole(data)
        import lightgbm

        text = data.decode()

        self.native = lightgbm.Booster(model_str=text)
        self.width = self.native.num_feature()
        self.names = own_names(self.native.feature_name())
        classes = max(2, self.native.num_model_per_iteration())
        self.labels = [*range(classes)] if CLASSIFIES.search(text) else None
        self._threads = 1

    def answers(self, X: Any) -> np.ndarray:
        return np.asarray(self.native.predict(X, num_threads=self._threads))

    def set_threads(self, threads: int) -> None:
        self._threads = threads


def _check_whole(data: bytes) -> None:
    """Raise ValueError for a damaged file, with which the library would end the process."""
    data = data.replace(b"\r\n", b"\n")
    header, separator, _ = data.partition(b"\n\nTree=")
    sizes = SIZES.search(header.decode())
    place = len(header) + 2
    for size in [*map(int, sizes[1].split()), None] if sizes and separator else [0]:
        tree = TREE.match(data, place)
        if not tree or size not in (None, tree.end() - place):
            raise ValueError("it is only a part of a model of LightGBM's, or was changed")
        place = tree.end()
