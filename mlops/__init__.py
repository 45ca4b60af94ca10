"""Commands that an engineer runs: package a model, serve it locally, roll it out. The container
holds none of them.

Azure ML puts the folder of the serving code on ``sys.path``; this package does the same.
"""

import os
import sys
from pathlib import Path

_HERE = Path(__file__).parent
SERVING = next(folder for folder in (_HERE / "serving", _HERE.parent / "src") if folder.is_dir())
"""The folder of ``score.py``: in an installed wheel, or in a checkout."""

sys.path.insert(0, str(SERVING))

from azureml_scoring import opt_out  # noqa: E402

opt_out.apply(os.environ)
