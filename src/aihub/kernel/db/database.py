"""The engine and the unit of work.

A unit of work is one transaction with a scope. It is opened only at the ways in (routes, jobs, CLI,
tools) and handed to services. Nothing waits for a model or another outside system inside one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import orjson
import psycopg
from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import QueuePool

from aihub.kernel.config import KernelSettings
from aihub.kernel.db.scope import Scope
from aihub.kernel.errors import AihubError, Unavailable

_SCOPE = "select set_config('aihub.owner', :owner, true), set_config('aihub.scope', :scope, true)"
_SET_SCOPE = text(_SCOPE)
_SET_SCOPE_UNHURRIED = text(
    _SCOPE + "".join(f", set_config('{name}', '0', true)" for name in ("statement_timeout", "lock_timeout"))
)
APP_ROLE = "aihub_app"
LOCK_SECONDS = 10.0
"""How long a statement waits for what another transaction holds."""
IDLE_SECONDS = 60.0
"""How long a transaction may stay open while nothing happens in it: a defect, or a process that hangs."""
_CONFLICTS = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock timeout
_CANCELED = "57014"

_unhurried: ContextVar[bool] = ContextVar("unhurried", default=False)


@contextmanager
def unhurried() -> Iterator[None]:
    """Work that is opened inside, as that of a job is, may take its time: nobody waits for an answer."""
    token = _unhurried.set(True)
    try:
        yield
    finally:
        _unhurried.reset(token)


class DatabaseUnavailable(Unavailable):
    code = "database.unavailable"
    title = "The database cannot be reached"
    remedy = "Try again in a few seconds. Operators: 'aihub doctor' names the cause."


class DatabaseBusy(Unavailable):
    code = "database.busy"
    title = "All database connections are in use"
    remedy = "Try again in a few seconds. Operators: raise DB_POOL_SIZE or add a process."


class DatabaseConflict(Unavailable):
    code = "database.conflict"
    title = "Two changes got in each other's way, and this one was not made"
    remedy = "Try again now; nothing was changed."


class DatabaseTooSlow(Unavailable):
    code = "database.too_slow"
    title = "The database took too long for this, and nothing was changed"
    remedy = "Ask for less at once, or try again later. Operators: DB_STATEMENT_TIMEOUT is the limit."


class Work:
    """One open transaction: its session, its scope, and what to do once it has committed."""

    def __init__(
        self,
        session: AsyncSession,
        scope: Scope,
        audit_key: bytes | None = None,
        process: dict[str, Any] | None = None,
    ) -> None:
        self.session = session
        self.scope = scope
        self.audit_key = audit_key
        self.process = process if process is not None else {}  # that of the database
        self.facts: dict[str, Any] = {}  # what a kernel part collects over the transaction
        self.at_last: list[Callable[[], Awaitable[None]]] = []
        self.afterwards: list[Callable[[], Awaitable[None]]] = []

    def before_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run `action` in this transaction when everything else is done, right before the commit. For
        statements that take a lock which everyone wants."""
        self.at_last.append(action)

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run `action` after the commit; it is dropped when the transaction rolls back."""
        self.afterwards.append(action)

    async def notify(self, channel: str, payload: str) -> None:
        """PostgreSQL NOTIFY, delivered to every listening process when this work commits."""
        await self.session.execute(
            text("select pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload}
        )


@dataclass(frozen=True, slots=True)
class PoolState:
    """Connections in use, open, kept at rest, and the most there may be."""

    in_use: int
    open: int
    size: int
    limit: int


class Database:
    """The pool, and `work()` to open a unit of work on it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.audit_key: bytes | None = None  # set once the process's keys are open (aihub.kernel.crypto)
        self.process: dict[str, Any] = {}  # what a kernel part keeps for the whole process

    @asynccontextmanager
    async def work(self, scope: Scope) -> AsyncIterator[Work]:
        """Open a transaction in this scope; commit at the end, roll back on any error.

        Raises DatabaseUnavailable or DatabaseBusy (503) when no usable connection can be had, and
        DatabaseTooSlow or DatabaseConflict (503) for a statement that exceeds its time.
        """
        async with reachable(), AsyncSession(self.engine, expire_on_commit=False) as session:
            work = Work(session, scope, self.audit_key, self.process)
            async with session.begin():
                await session.execute(
                    _SET_SCOPE_UNHURRIED if _unhurried.get() else _SET_SCOPE,
                    {
                        "owner": str(scope.owner) if scope.owner else "",
                        "scope": "owner" if scope.owner else "system",
                    },
                )
                yield work
                for action in work.at_last:
                    await action()
        for action in work.afterwards:
            await action()

    async def ping(self) -> None:
        """One round trip. Raises DatabaseUnavailable."""
        async with reachable(), self.engine.connect() as connection:
            await connection.execute(text("select 1"))

    def pool_state(self) -> PoolState:
        pool = cast(QueuePool, self.engine.pool)
        overflow = pool._max_overflow  # noqa: SLF001 - the pool has no public name for it
        return PoolState(
            in_use=pool.checkedout(),
            open=pool.checkedin() + pool.checkedout(),
            size=pool.size(),
            limit=pool.size() + overflow,
        )

    async def close(self) -> None:
        await self.engine.dispose()


@asynccontextmanager
async def reachable() -> AsyncIterator[None]:
    """Turn a lost or missing connection into the hub's own 503, and let every other error pass."""
    try:
        yield
    except PoolTimeout as exc:
        raise DatabaseBusy(headers={"Retry-After": "2"}) from exc
    except (OperationalError, psycopg.OperationalError, ConnectionError) as exc:
        state = getattr(getattr(exc, "orig", exc), "sqlstate", None) or ""
        if state in _CONFLICTS:
            raise DatabaseConflict(headers={"Retry-After": "1"}) from exc
        if state == _CANCELED:
            raise DatabaseTooSlow(headers={"Retry-After": "10"}) from exc
        raise DatabaseUnavailable(headers={"Retry-After": "2"}) from exc
    except DBAPIError as exc:
        if exc.connection_invalidated:
            raise DatabaseUnavailable(headers={"Retry-After": "2"}) from exc
        raise


def sqlalchemy_url(dsn: str) -> URL:
    """A psycopg URL, whatever spelling (`postgres://`, `postgresql://`, `+asyncpg`) was configured."""
    try:
        url = make_url(dsn)
    except Exception as exc:
        raise BadDatabaseUrl() from exc
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise BadDatabaseUrl(f"It names {url.get_backend_name()}; the hub needs PostgreSQL.")
    return url.set(drivername="postgresql+psycopg")


class BadDatabaseUrl(AihubError):
    code = "database.bad_url"
    title = "DATABASE_URL is not a PostgreSQL address"
    remedy = "Write it as postgresql://user:password@host:5432/name."


class RoleNotUsable(Unavailable):
    code = "database.role_not_usable"
    title = f"The role of DATABASE_URL may not act as {APP_ROLE}"
    remedy = f"As an administrator of the database run: GRANT {APP_ROLE} TO the role that DATABASE_URL names."


def with_tls(dsn: str, settings: KernelSettings) -> str:
    """`dsn` with libpq's TLS parameters from the DB_SSL_* settings, where those are set."""
    pairs = {
        "sslmode": settings.db_ssl_mode,
        "sslcert": settings.db_ssl_cert,
        "sslkey": settings.db_ssl_key,
        "sslrootcert": settings.db_ssl_root_cert,
    }
    given = {name: str(value) for name, value in pairs.items() if value is not None}
    url = sqlalchemy_url(dsn).set(drivername="postgresql").update_query_dict(given)
    return url.render_as_string(hide_password=False)


def connect(
    dsn: str, settings: KernelSettings, *, pool_size: int | None = None, patient: bool = False
) -> Database:
    """The database of one process. Connections act as the role that row-level security binds.

    Statements, waits for locks and idle transactions have an end, so that no request holds a connection or
    a lock for long. `patient` is for commands, where a person waits or nobody; for jobs see `unhurried`.
    `pool_size` overrides DB_POOL_SIZE for short-lived processes such as CLI verbs.
    """
    seconds = {
        "statement_timeout": settings.db_statement_timeout,
        "lock_timeout": LOCK_SECONDS,
        "idle_in_transaction_session_timeout": IDLE_SECONDS,
    }
    begin = "; ".join(
        [f"set role {APP_ROLE}"]
        + [f"set {name} = {int(value * 1000)}" for name, value in seconds.items() if not patient]
    )
    engine = create_async_engine(
        sqlalchemy_url(dsn),
        pool_size=pool_size or settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout=settings.db_pool_timeout,
        pool_recycle=settings.db_pool_recycle,
        pool_pre_ping=settings.db_pool_pre_ping,
        hide_parameters=True,  # errors are logged, and what people wrote is no business of logs
        connect_args={"connect_timeout": 10, "application_name": "aihub"},
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def act_as_app(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(begin)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as exc:
            raise RoleNotUsable(" ".join(str(exc).split())) from exc
        cursor.close()
        connection.commit()

    return Database(engine)
