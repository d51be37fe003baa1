"""Migrations: with a lock timeout, one process at a time; a start refuses a schema it does not match."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from aihub.kernel.db.database import sqlalchemy_url
from aihub.kernel.errors import AihubError

LOCK_TIMEOUT = "500ms"
ONE_AT_A_TIME = 7_302_640_118  # advisory lock: any constant that is ours alone
TRIES = 10
_NOT_PERMITTED, _LOCKED = "42501", "55P03"


class SchemaMismatch(AihubError):
    code = "database.schema_mismatch"
    status = 503
    title = "The database schema is not the one this version needs"
    remedy = "Run 'aihub migrate' with this version, or start the version that wrote the schema."


class MigrationBlocked(AihubError):
    code = "database.migration_blocked"
    status = 503
    title = "A table stayed locked, so the migration stopped without changing anything"
    remedy = "Find the long transaction in pg_stat_activity, end it, and run 'aihub migrate' again."


class MigrationNotPermitted(AihubError):
    code = "database.migration_not_permitted"
    status = 503
    title = "The role of DATABASE_URL may not set the database up"
    remedy = (
        "Have an administrator of the server run once, in the hub's database: "
        "CREATE EXTENSION IF NOT EXISTS vector; CREATE EXTENSION IF NOT EXISTS pg_trgm; "
        "CREATE ROLE aihub_app NOLOGIN; CREATE ROLE aihub_backup NOLOGIN BYPASSRLS; "
        "GRANT aihub_app TO hub; ALTER DATABASE name OWNER TO hub; "
        "with the role of DATABASE_URL for 'hub' and the database for 'name'. Then start again."
    )


def _config(scripts: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["connection"] = connection
    return config


def latest(scripts: Path) -> str:
    """The revision this version of the code needs."""
    head = ScriptDirectory.from_config(_config(scripts)).get_current_head()
    if head is None:
        raise SchemaMismatch("No migrations were found.")
    return head


def applied(dsn: str) -> str | None:
    """The revision the database is at, or None when it is empty."""
    engine = create_engine(sqlalchemy_url(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(scripts: Path, dsn: str) -> None:
    """Refuse a database whose schema is older or newer than this code. Raises SchemaMismatch."""
    have, need = applied(dsn), latest(scripts)
    if have != need:
        raise SchemaMismatch(f"The database is at {have or 'nothing'}, this version needs {need}.")


def upgrade(
    scripts: Path,
    dsn: str,
    *,
    revision: str = "head",
    progress: Callable[[str], None] | None = None,
) -> list[str]:
    """Apply what is missing and return the revisions applied.

    Each revision is one transaction with `lock_timeout`: it waits at most half a second for a table,
    then gives way and tries again with jitter, so that it never blocks the queries of a running hub.
    Raises SchemaMismatch for a database newer than this code and MigrationBlocked when a lock stays.
    """
    engine = create_engine(sqlalchemy_url(dsn), poolclass=NullPool)
    script = ScriptDirectory.from_config(_config(scripts))
    done: list[str] = []
    with engine.connect() as guard:
        guard.execute(text("select pg_advisory_lock(:key)"), {"key": ONE_AT_A_TIME})
        guard.commit()
        try:
            with engine.connect() as connection:
                have = MigrationContext.configure(connection).get_current_revision()
            if have is not None and have not in {s.revision for s in script.walk_revisions()}:
                raise SchemaMismatch(f"The database is at {have}, which this version does not know.")
            target = latest(scripts) if revision == "head" else revision
            missing = [s.revision for s in reversed(list(script.iterate_revisions(target, have or "base")))]
            for step in missing:
                if progress:
                    progress(step)
                _apply(engine, scripts, step)
                done.append(step)
        finally:
            guard.rollback()
            guard.execute(text("select pg_advisory_unlock(:key)"), {"key": ONE_AT_A_TIME})
    return done


def _apply(engine: Any, scripts: Path, step: str) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            with engine.begin() as connection:
                connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
                command.upgrade(_config(scripts, connection), step)
            return
        except ProgrammingError as exc:
            if getattr(exc.orig, "sqlstate", None) != _NOT_PERMITTED:
                raise
            raise MigrationNotPermitted(f"Revision {step}: {' '.join(str(exc.orig).split())}") from exc
        except OperationalError as exc:
            if getattr(exc.orig, "sqlstate", None) != _LOCKED:
                raise
            if attempt == TRIES:
                raise MigrationBlocked(f"Revision {step} could not get its lock.") from exc
            time.sleep(random.uniform(0.2, 0.5) * attempt)  # noqa: S311 - jitter, not a secret
