"""What a process remembers of a key that is used, and when it lets nobody through with it."""

from dataclasses import dataclass
from datetime import datetime

from aihub.kernel.db import Work
from aihub.kernel.telemetry import context
from aihub.kernel.telemetry.logs import get_logger
from aihub.services.identity import queries
from aihub.services.identity.contracts import InvalidKey
from aihub.services.identity.contracts.keys import KEY_LIMITS, Key, KeyElsewhere, KeyLimits, Network
from aihub.services.identity.key_bounds import network, within

log = get_logger("aihub.keys")


@dataclass(frozen=True, slots=True)
class KeyPass:
    """A key under one of its secrets. `until`: when this secret ends, if it does."""

    key: Key
    until: datetime | None
    networks: tuple[Network, ...]
    facts: dict[str, KeyLimits]
    """What the actors of this key carry."""

    def check(self, now: datetime) -> None:
        """Raises InvalidKey for what has ended, KeyElsewhere for a caller whom the key is not meant for."""
        if self.until is not None and self.until <= now:
            raise invalid_key("This key has expired.")
        if self.networks and not within(context.client_ip.get(), self.networks):
            log.warning("a key was refused where it may not be used", key_id=str(self.key.id))
            raise KeyElsewhere()


async def load_pass(work: Work, hashed: bytes, now: datetime) -> KeyPass:
    """The key with this secret, noted as used. Raises InvalidKey."""
    found = await queries.key_by_hash(work, hashed)
    if found is None:
        raise invalid_key("There is no such key.")
    key, secret_until = found
    if key.revoked_at is not None:
        raise invalid_key("This key was revoked.")
    ends = [end for end in (key.expires_at, secret_until) if end is not None]
    networks = tuple(network(text) for text in key.networks)
    if not networks or within(context.client_ip.get(), networks):
        await queries.touch_key(work, key.id, now)
    return KeyPass(key, min(ends, default=None), networks, {KEY_LIMITS: key.limits} if key.limits.any else {})


def invalid_key(detail: str) -> InvalidKey:
    return InvalidKey(detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
