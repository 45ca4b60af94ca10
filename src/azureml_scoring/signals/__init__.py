"""Signals to operators: health, metrics, logs, traces, drift."""
