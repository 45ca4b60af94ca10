"""Brings a new deployment of an online endpoint into service step by step, each judged, and puts
the traffic back if one fails."""
