"""Parts of the response cache: keys, tiers, leases, the link to Redis."""
