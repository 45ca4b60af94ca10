"""The cache that `mlops serve` uses."""

from __future__ import annotations

import pytest

from mlops.serve import choose_cache

UNSET = "neither SCORING_CACHE, REDIS_HOST nor REDIS_URL is set"


@pytest.mark.parametrize(
    ("environ", "cache", "reason"),
    [
        ({}, "memory", UNSET),
        ({"SCORING_CACHE": "off"}, "off", "SCORING_CACHE names it"),
        ({"SCORING_CACHE": "memory", "REDIS_HOST": "h"}, "memory", "SCORING_CACHE names it"),
        ({"SCORING_CACHE": "auto"}, "memory", UNSET),
        ({"SCORING_CACHE": "auto", "REDIS_HOST": "h"}, "redis", "REDIS_HOST is set"),
        ({"REDIS_HOST": "h"}, "redis", "REDIS_HOST is set"),
        ({"REDIS_URL": "rediss://:secret@h"}, "redis", "REDIS_URL is set"),
        ({"REDIS_URL": "", "SCORING_CACHE": ""}, "memory", UNSET),
    ],
)
def test_the_environment_chooses_the_cache(environ: dict[str, str], cache: str, reason: str):
    """It chooses as for the service; the reason names the variable, never its value."""
    assert choose_cache("auto", environ) == (cache, reason)


@pytest.mark.parametrize("option", ["off", "memory", "redis"])
def test_the_option_overrules_the_environment(option: str):
    """The reason says so."""
    environ = {"SCORING_CACHE": "memory", "REDIS_HOST": "h"}
    assert choose_cache(option, environ) == (option, "--cache names it")
