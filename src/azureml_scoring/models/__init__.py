"""Models: found, verified, loaded, tried, and asked."""
