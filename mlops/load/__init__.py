"""Puts load on a server at a constant rate of arrivals, and reports whether the SLO held."""
