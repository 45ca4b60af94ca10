"""Places of files in the repository."""

from pathlib import Path

DATA = Path(__file__).parent / "data"
REPOSITORY = Path(__file__).parents[1]
SRC = REPOSITORY / "src"
