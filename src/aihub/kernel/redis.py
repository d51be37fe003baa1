"""The connection to Redis or Valkey, when one is configured. Cache and limits share it."""

import asyncio
from typing import TYPE_CHECKING, Any

from aihub.kernel.errors import AihubError

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from aihub.kernel.runtime import Runtime

_PATIENCE = 1.0  # seconds for one command; a cache or a limit that is slower than this is broken


class RedisUnreachable(AihubError):
    code = "redis.unreachable"
    status = 503
    title = "Redis is configured but does not answer"
    remedy = "Check REDIS_URL and that the server runs; unset it to run a single process without Redis."


class RedisLink:
    """`client` is None when Redis is not configured."""

    def __init__(self, client: "Redis | None") -> None:
        self.client = client

    @classmethod
    async def start(cls, runtime: "Runtime") -> "RedisLink":
        """Connect. Raises RedisUnreachable."""
        settings = runtime.kernel
        url = settings.redis()
        return cls(None) if url is None else await cls.connect(url, settings.redis_max_connections)

    @classmethod
    async def connect(cls, url: str, max_connections: int = 100) -> "RedisLink":
        """Connect to this URL. Raises RedisUnreachable."""
        # Importing the client costs 0.4 s and 19 MB, which an installation without Redis need not pay.
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415

        pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=max_connections,
            timeout=_PATIENCE,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            health_check_interval=30,
        )
        client = Redis(connection_pool=pool)
        try:
            await asyncio.wait_for(client.ping(), 5)
        except (RedisError, OSError, TimeoutError) as exc:
            await client.aclose()
            raise RedisUnreachable(type(exc).__name__) from exc
        return cls(client)

    async def ping(self) -> None:
        """One round trip; nothing to do without Redis. Raises RedisError or OSError."""
        if self.client is not None:
            await self.client.ping()

    async def close(self) -> None:
        if self.client is not None:
            await self.client.aclose()
            await self.client.connection_pool.disconnect()
