"""Builds the response cache from the settings."""

from __future__ import annotations

from azureml_scoring.caching.memory_tier import MemoryTier
from azureml_scoring.caching.tier import MeasuredTier, Tier
from azureml_scoring.errors import StartupError
from azureml_scoring.settings import Settings
from azureml_scoring.shared.cache_counts import CacheCounts
from cache import ResponseCache


def response_cache(settings: Settings, counts: CacheCounts) -> ResponseCache:
    """Build the cache, without waiting for a connection. Raises StartupError."""
    tiers: list[Tier] = []
    leases = None
    if settings.scoring_cache != "off" and settings.scoring_cache_max_bytes:
        tiers.append(MemoryTier(settings.scoring_cache_max_bytes, counts))
    if _uses_redis(settings):
        # Imported here because redis-py takes a tenth of a second to import.
        from azureml_scoring.caching.lease import Leases
        from azureml_scoring.caching.redis_client import connector
        from azureml_scoring.caching.redis_link import RedisLink
        from azureml_scoring.caching.redis_tier import RedisTier

        trial_key = f"{settings.scoring_cache_prefix}:trial"
        budget = settings.scoring_cache_budget_ms / 1000
        link = RedisLink(
            connector(settings), lambda client: client.get(trial_key), counts, budget=budget
        )
        if not settings.worker_preload:  # else each worker connects after it was forked
            link.try_early()
        secret = settings.scoring_cache_key
        shared = RedisTier(link, counts, secret=secret.get_secret_value() if secret else None)
        tiers.append(shared)
        if settings.scoring_cache_lease_ms:
            leases = Leases(link, shared, duration=settings.scoring_cache_lease_ms / 1000)
    return ResponseCache(
        [MeasuredTier(tier, counts, must_pay=settings.scoring_cache_must_pay) for tier in tiers],
        counts,
        prefix=settings.scoring_cache_prefix,
        ttl=settings.scoring_cache_ttl_s,
        by_row=settings.scoring_cache_by_row,
        leases=leases,
    )


def _uses_redis(settings: Settings) -> bool:
    named = bool(settings.redis_host or settings.redis_url)
    if settings.scoring_cache == "redis" and not named:
        raise StartupError(
            "SCORING_CACHE=redis needs REDIS_HOST or REDIS_URL; set one of them, or "
            "SCORING_CACHE=memory."
        )
    return named and settings.scoring_cache in ("auto", "redis")
