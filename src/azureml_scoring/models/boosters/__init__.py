"""Boosters from their library's own file, without pickle."""
