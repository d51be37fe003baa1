"""What the hub holds about people: every module says how to hand it over and how to forget it.

    Module(..., personal=(table("notes", "Notes you wrote"),))

Each table with an `owner_id`, or with a reference to `users`, belongs to exactly one `PersonalData` of
its module. A test over the real schema fails for a table that belongs to none.
"""

from collections.abc import Sequence

from aihub.kernel.module import Module
from aihub.kernel.privacy.contract import Original, PersonalData, Piece, Sheet, Subject
from aihub.kernel.privacy.tables import count, delete_some, detach, select_rows, table

__all__ = [
    "Original",
    "PersonalData",
    "Piece",
    "Sheet",
    "Subject",
    "count",
    "delete_some",
    "detach",
    "personal_data",
    "select_rows",
    "table",
]


def personal_data(modules: Sequence[Module]) -> tuple[PersonalData, ...]:
    """Everything that the modules declared, in the order in which it is erased: what stands on others
    goes before them, so the last module comes first."""
    return tuple(data for module in reversed(modules) for data in module.personal)
