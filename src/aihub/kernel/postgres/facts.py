"""What a PostgreSQL server is, and whether the hub can live on it. For start-up and `aihub doctor`."""

import re
from dataclasses import dataclass

import psycopg

from aihub.kernel.postgres.errors import ServerUnreachable, VectorUnsupported, VersionUnsupported

MINIMUM_MAJOR = 15
MINIMUM_VECTOR = (0, 8, 4)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """`pgvector_version` is the one in this database, `pgvector_available` the one it could create."""

    version_num: int
    major: int
    pgvector_version: str | None
    pgvector_available: str | None
    max_connections: int
    is_superuser: bool
    bypass_rls: bool
    ssl: bool


_QUESTION = """
select current_setting('server_version_num')::int,
       (select installed_version from pg_available_extensions where name = 'vector'),
       (select default_version from pg_available_extensions where name = 'vector'),
       current_setting('max_connections')::int,
       r.rolsuper,
       r.rolbypassrls,
       coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)
  from pg_roles r
 where r.rolname = current_user
"""


def inspect_server(conninfo: str, timeout_seconds: int = 10) -> ServerFacts:
    """Connect once and look. Takes a libpq conninfo or URL, also SQLAlchemy's spelling of one.

    Raises ServerUnreachable; its detail never contains the password.
    """
    conninfo = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", conninfo)
    try:
        with psycopg.connect(conninfo, connect_timeout=timeout_seconds, autocommit=True) as connection:
            row = connection.execute(_QUESTION).fetchone()
    except psycopg.ProgrammingError as exc:
        raise ServerUnreachable("The address is not one that PostgreSQL understands.") from exc
    except psycopg.Error as exc:
        raise ServerUnreachable(" ".join(str(exc).split())) from exc
    if row is None:
        raise ServerUnreachable("The server does not know the role it let in.")
    version_num, installed, available, connections, superuser, bypass, ssl = row
    return ServerFacts(
        version_num=version_num,
        major=version_num // 10000,
        pgvector_version=installed,
        pgvector_available=available,
        max_connections=connections,
        is_superuser=superuser,
        bypass_rls=bypass,
        ssl=ssl,
    )


def require_supported(facts: ServerFacts) -> None:
    """Raises VersionUnsupported below PostgreSQL 15, VectorUnsupported below pgvector 0.8.4."""
    if facts.major < MINIMUM_MAJOR:
        raise VersionUnsupported(f"It is PostgreSQL {facts.major}; the hub needs {MINIMUM_MAJOR} or newer.")
    needed = ".".join(map(str, MINIMUM_VECTOR))
    version = facts.pgvector_version or facts.pgvector_available
    if version is None:
        raise VectorUnsupported(f"pgvector is not installed; the hub needs {needed} or newer.")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers < MINIMUM_VECTOR:
        raise VectorUnsupported(f"pgvector is {version}; the hub needs {needed} or newer.")
