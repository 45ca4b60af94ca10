"""The project file ``scoring.toml``: the model to package, and the names that files share."""
