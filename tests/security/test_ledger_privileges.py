"""What was charged cannot be made unsaid by the role that the hub acts as."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from aihub.kernel.db import Database, system


@pytest.mark.parametrize(
    "statement",
    [
        "delete from ledger_entries",
        "truncate ledger_entries cascade",
        "update ledger_entries set amount = 0",
        "delete from audit_log",
        "update audit_log set actor = ''",
        "truncate audit_log",
    ],
)
async def test_the_hub_may_only_append(database: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.work(system("test")) as work:
            await work.session.execute(text(statement))
