"""Brings a new deployment of an online endpoint into service by steps, each judged, and back where
it should not be."""
