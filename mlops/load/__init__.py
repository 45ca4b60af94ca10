"""Load at a constant rate of arrivals, and whether the SLO held."""
