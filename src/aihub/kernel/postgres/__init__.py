"""The embedded PostgreSQL server, and what any PostgreSQL server must be for the hub to live on it."""

from aihub.kernel.postgres.errors import PostgresError
from aihub.kernel.postgres.facts import ServerFacts, inspect_server, require_supported
from aihub.kernel.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "PostgresError", "ServerFacts", "inspect_server", "require_supported"]
