"""Load on two instances for minutes, with faults, held to the objectives."""
