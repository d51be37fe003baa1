"""How to open a connection beside the pool: for LISTEN and for the job worker."""

from collections.abc import Mapping
from typing import Any

from psycopg.conninfo import make_conninfo

from aihub.kernel.db.database import APP_ROLE, Database

ACT_AS_APP = f"set role {APP_ROLE}"


def conninfo(database: Database, name: str) -> str:
    """The libpq connection string of this database; `name` shows in pg_stat_activity."""
    engine = database.engine
    _, arguments = engine.dialect.create_connect_args(engine.url)
    plain: Mapping[str, Any] = {k: v for k, v in arguments.items() if k != "context"}
    return make_conninfo(
        "",
        **plain,
        application_name=name,
        connect_timeout=10,
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
    )
