"""PostgreSQL: engine, unit of work, row-level security, migrations, notifications."""

from aihub.kernel.db.base import Base, metadata
from aihub.kernel.db.database import Database, Work
from aihub.kernel.db.scope import Scope, owned_by, system

__all__ = ["Base", "Database", "Scope", "Work", "metadata", "owned_by", "system"]
