"""One LISTEN connection per process: what others announce with NOTIFY arrives here.

Notifications are a wake-up, never the record: while the connection is down they are lost, so callers
that must not miss one also give `on_gap`, which is called once the connection is back.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
from psycopg import AsyncConnection, Notify, sql
from psycopg.pq import ConnStatus

from aihub.kernel.db.database import DatabaseUnavailable
from aihub.kernel.db.direct import ACT_AS_APP, conninfo
from aihub.kernel.telemetry.logs import get_logger

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.listener")

_QUIET = 15.0  # seconds without a word after which the connection is tested
_PATIENCE = 10.0  # seconds for one statement
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0  # seconds between attempts to reconnect


class Listener:
    """Delivers notifications to callbacks. A callback must return at once; what it raises is logged."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._callbacks: dict[str, list[Callable[[str], None]]] = {}
        self._gap_callbacks: list[Callable[[], None]] = []
        self._connected = asyncio.Event()
        self._wake = asyncio.Event()
        self._wait = _FIRST_WAIT
        self._missed = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Listener":
        """Connect. Raises DatabaseUnavailable when that takes more than ten seconds."""
        listener = cls(conninfo(runtime.database, "aihub listener"))
        listener.run()
        try:
            await listener.ready()
        except TimeoutError as exc:
            await listener.close()
            raise DatabaseUnavailable() from exc
        return listener

    def run(self) -> None:
        """Begin to connect and deliver, in the background."""
        self._task = asyncio.create_task(self._supervise(), name="listener")

    def on(self, channel: str, callback: Callable[[str], None]) -> None:
        """Call `callback(payload)` for each notification on the channel. `ready()` tells when that holds."""
        if channel not in self._callbacks:
            self._callbacks[channel] = []
            self._connected.clear()
            self._wake.set()
        self._callbacks[channel].append(callback)

    def off(self, channel: str, callback: Callable[[str], None]) -> None:
        """Stop calling `callback`; the channel itself stays open."""
        with contextlib.suppress(ValueError):
            self._callbacks.get(channel, []).remove(callback)

    def on_gap(self, callback: Callable[[], None]) -> None:
        """Call `callback()` after a reconnect, when notifications may have been missed."""
        self._gap_callbacks.append(callback)

    @property
    def connected(self) -> bool:
        """Whether every channel is listened to at this moment."""
        return self._connected.is_set()

    async def ready(self) -> None:
        """Wait until every channel is listened to. Raises TimeoutError after ten seconds."""
        await asyncio.wait_for(self._connected.wait(), _PATIENCE)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _supervise(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await self._serve(connection)
            except (psycopg.Error, OSError, TimeoutError) as exc:
                log.warning("the notification connection broke", error=str(exc), retry_seconds=self._wait)
            except Exception:  # the edge of this loop: deaf, the process would answer with stale facts
                log.exception("listening for notifications failed", retry_seconds=self._wait)
            self._connected.clear()
            self._missed = True
            await asyncio.sleep(self._wait)
            self._wait = min(self._wait * 2, _LONGEST_WAIT)

    async def _serve(self, connection: AsyncConnection) -> None:
        loop = asyncio.get_running_loop()
        connection.add_notify_handler(self._deliver)
        await self._execute(connection, sql.SQL(ACT_AS_APP))
        listening: set[str] = set()
        while connection.pgconn.status == ConnStatus.OK:
            self._wake.clear()
            for channel in self._callbacks.keys() - listening:
                await self._execute(connection, sql.SQL("listen {}").format(sql.Identifier(channel)))
                listening.add(channel)
            if listening != self._callbacks.keys():
                continue
            self._now_connected()
            # Reading the socket ourselves leaves the connection free for the next LISTEN. A descriptor of
            # our own, since libpq closes its own at once when the server dies, and the number may belong
            # to an HTTP connection before we get to look.
            descriptor = os.dup(connection.fileno())
            loop.add_reader(descriptor, self._readable, connection, descriptor)
            try:
                await asyncio.wait_for(self._wake.wait(), _QUIET)
            except TimeoutError:
                loop.remove_reader(descriptor)
                await self._execute(connection, sql.SQL("select 1"))
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)

    @staticmethod
    async def _execute(connection: AsyncConnection, statement: sql.SQL | sql.Composed) -> None:
        await asyncio.wait_for(connection.execute(statement), _PATIENCE)

    def _now_connected(self) -> None:
        self._wait = _FIRST_WAIT
        if self._missed:
            self._missed = False
            log.info("the notification connection is back")
            for callback in self._gap_callbacks:
                self._call(callback)
        self._connected.set()

    def _readable(self, connection: AsyncConnection, descriptor: int) -> None:
        try:
            connection.pgconn.consume_input()
            while (note := connection.pgconn.notifies()) is not None:
                self._dispatch(note.relname.decode(), note.extra.decode())
        except psycopg.OperationalError:
            asyncio.get_running_loop().remove_reader(descriptor)
            self._wake.set()

    def _deliver(self, note: Notify) -> None:
        self._dispatch(note.channel, note.payload)

    def _dispatch(self, channel: str, payload: str) -> None:
        for callback in tuple(self._callbacks.get(channel, ())):
            self._call(callback, payload)

    @staticmethod
    def _call(callback: Callable[..., None], *arguments: str) -> None:
        try:
            callback(*arguments)
        except Exception:
            log.exception("a notification callback failed")
