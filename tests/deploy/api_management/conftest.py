"""A gateway for each test."""

from __future__ import annotations

import pytest

from apim.world import World


@pytest.fixture
def world() -> World:
    return World()
