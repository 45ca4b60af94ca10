"""Packages an old pickle in an environment with the versions that it was saved with.

A process of that environment answers for the estimator. Here the same file is read for its
structure alone, compiled, and compared with those answers.
"""
