"""The response cache's parts: keys, tiers, leases, and the link to Redis."""
