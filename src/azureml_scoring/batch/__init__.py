"""Scores whole files, chunk by chunk, by the same contract, model and errors as requests."""
