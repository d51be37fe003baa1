"""What an attacker finds: the served hub of the services' tests, and one with a scripted provider."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.services.conftest import client, clock, hub, make_key, make_user, quick_passwords
from tests.services.gateway.conftest import Hub, open_hub

__all__ = ["client", "clock", "hub", "make_key", "make_user", "models", "quick_passwords"]


@pytest.fixture
async def models(dsn: str, home: Path) -> AsyncIterator[Hub]:
    """A hub that answers model calls."""
    async with open_hub(dsn, home) as opened:
        yield opened
