"""The project file, ``scoring.toml``: which model is packaged, and the names that files share."""
