"""Checks the YAML of endpoints, deployments, environments, models and monitors offline, minutes
before Azure would report the same mistakes."""
