"""The shared level of the cache: Redis, done without for a while when it fails."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aihub.kernel.telemetry.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger("aihub.cache")

_PREFIX = "aihub:cache:"
_PAUSE = 5.0  # seconds without Redis after it failed
_MOST_OWED = 1_000


class SharedLevel:
    """Never raises for a sick Redis: then nothing is found and nothing is kept. Deletions it could not
    make are owed, and made before anything is read again."""

    def __init__(self, client: "Redis", now: Callable[[], float]) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - loaded only where Redis is configured

        self._failures: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError)
        self._client: Any = client
        self._now = now
        self._closed_until = 0.0
        self._owed: set[str] = set()

    async def get(self, key: str) -> bytes | None:
        if not await self._usable():
            return None
        try:
            found: bytes | None = await self._client.get(_PREFIX + key)
        except self._failures as exc:
            self._failed(exc)
            return None
        return found

    async def set(self, key: str, blob: bytes, seconds: float) -> None:
        if await self._usable():
            try:
                await self._client.set(_PREFIX + key, blob, px=round(seconds * 1000))
            except self._failures as exc:
                self._owe(key)  # it may have been written all the same
                self._failed(exc)

    async def delete(self, key: str) -> None:
        """Drop a key, or with a trailing `*` all that begin so."""
        try:
            await self._delete(key)
        except self._failures as exc:
            self._owe(key)
            self._failed(exc)

    async def _delete(self, key: str) -> None:
        if not key.endswith("*"):
            await self._client.unlink(_PREFIX + key)
            return
        batch: list[bytes] = []
        async for name in self._client.scan_iter(match=_literal(_PREFIX + key[:-1]) + "*", count=1000):
            batch.append(name)
            if len(batch) == 500:
                await self._client.unlink(*batch)
                batch.clear()
        if batch:
            await self._client.unlink(*batch)

    async def _usable(self) -> bool:
        if self._now() < self._closed_until:
            return False
        try:
            while self._owed:
                key = next(iter(self._owed))
                await self._delete(key)
                self._owed.discard(key)
        except self._failures as exc:
            self._failed(exc)
            return False
        return True

    def _owe(self, key: str) -> None:
        self._owed.add(key)
        if len(self._owed) > _MOST_OWED:
            self._owed = {"*"}

    def _failed(self, exc: BaseException) -> None:
        if self._now() >= self._closed_until:
            log.warning("the shared cache does not answer", error=type(exc).__name__, pause_seconds=_PAUSE)
        self._closed_until = self._now() + _PAUSE


def _literal(text: str) -> str:
    """Without the meanings that Redis' patterns give to some signs."""
    return "".join(f"\\{c}" if c in "*?[]^-\\" else c for c in text)
