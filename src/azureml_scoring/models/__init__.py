"""Models: found, verified, loaded, tried and called."""
