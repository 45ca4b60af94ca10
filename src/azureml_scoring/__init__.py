"""The scoring service, behind score.py. docs/architecture.md shows its rooms and layers."""
