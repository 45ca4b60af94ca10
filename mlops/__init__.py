"""What an engineer runs beside the service: package a model, serve it locally. None of it is in the
container.

The serving code is flat because Azure ML puts its folder on ``sys.path``; the same is done here.
"""

import os
import sys
from pathlib import Path

_HERE = Path(__file__).parent
SERVING = next(folder for folder in (_HERE / "serving", _HERE.parent / "src") if folder.is_dir())
"""The folder with ``score.py``: in an installed wheel, or in a checkout."""

sys.path.insert(0, str(SERVING))

from azureml_scoring import opt_out  # noqa: E402

opt_out.apply(os.environ)
