"""What people are told: health, metrics, logs, traces, drift."""
