"""Finds, verifies, loads, tries and calls models."""
