"""Most personal data is plain rows of one table: counted, handed over and deleted by these statements.

All columns are handed over but those that are withheld, so that a column added later is not forgotten.
"""

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from aihub.kernel.db import Work
from aihub.kernel.privacy.contract import PersonalData, Piece, Sheet, Subject

OWNED = "owner_id = :person"
_STEP = 2_000  # rows deleted in one transaction
_FETCHED = 500  # rows in memory while reading

_SCOPE = text("select set_config('aihub.scope', :scope, true)")

Convert = Callable[[Any], object]


def table(
    name: str,
    title: str,
    *,
    mine: str = OWNED,
    order: str = "1",
    newest_first: str = "",
    withheld: Mapping[str, str] | None = None,
    convert: Mapping[str, Convert] | None = None,
    called: str | None = None,
    beyond_own: bool = False,
) -> PersonalData:
    """The rows of table `name` for which `mine` holds; it may use :person (the id) and :email.

    `called`: the name of the data when it is not the table's. `newest_first`: the order to delete in, for
    rows that refer to each other. `beyond_own`: there are rows of theirs without their `owner_id`, which
    row-level security hides from them, such as a letter to their address from before they had an account.
    """
    named = called or name

    async def counted(work: Work, subject: Subject) -> int:
        async with _seeing(work, everything=beyond_own):
            return await count(work, name, mine, subject)

    async def export(work: Work, subject: Subject) -> AsyncIterator[Piece]:
        rows = select_rows(work, name, mine, subject, order=order, without=withheld or {}, convert=convert)
        async with _seeing(work, everything=beyond_own):
            yield Sheet(f"data/{named}.json", rows)

    async def erase(work: Work, subject: Subject) -> int:
        return await delete_some(work, name, mine, subject, order=newest_first)

    return PersonalData(named, title, (name,), counted, export, erase, withheld=withheld)


@asynccontextmanager
async def _seeing(work: Work, *, everything: bool) -> AsyncIterator[None]:
    """For these statements row-level security steps back, if it must."""
    if not everything or work.scope.owner is None:
        yield
        return
    await work.session.execute(_SCOPE, {"scope": "system"})
    try:
        yield
    finally:
        await work.session.execute(_SCOPE, {"scope": "owner"})


async def count(work: Work, name: str, mine: str, subject: Subject) -> int:
    statement = text(f"select count(*) from {name} where {mine}")  # noqa: S608 - from constants
    return int(await work.session.scalar(statement, _given(mine, subject)) or 0)


async def delete_some(work: Work, name: str, mine: str, subject: Subject, *, order: str = "") -> int:
    """Delete a few thousand of the rows; how many."""
    by = f" order by {order}" if order else ""
    statement = text(
        f"with gone as (delete from {name} where ctid = any(array("  # noqa: S608 - from constants
        f"select ctid from {name} where {mine}{by} limit {_STEP})) returning 1) select count(*) from gone"
    )
    return int(await work.session.scalar(statement, _given(mine, subject)) or 0)


async def detach(work: Work, name: str, column: str, subject: Subject) -> int:
    """Take the person out of other people's rows that name them in `column`; how many."""
    statement = text(
        f"with freed as (update {name} set {column} = null where {column} = :person returning 1) "  # noqa: S608
        "select count(*) from freed"
    )
    return int(await work.session.scalar(statement, {"person": subject.id}) or 0)


async def select_rows(
    work: Work,
    name: str,
    mine: str,
    subject: Subject,
    *,
    order: str = "1",
    without: Mapping[str, str] | None = None,
    convert: Mapping[str, Convert] | None = None,
) -> AsyncIterator[dict[str, object]]:
    """The rows as JSON values, through a cursor: only a few hundred are in memory at a time."""
    columns = [c for c in await _columns(work, name) if c not in (without or {})]
    listed = ", ".join(f'"{column}"' for column in columns)
    statement = text(f"select {listed} from {name} where {mine} order by {order}")  # noqa: S608
    found = await work.session.stream(statement.execution_options(yield_per=_FETCHED), _given(mine, subject))
    special = convert or {}
    async for row in found:
        yield {
            column: special[column](value) if column in special and value is not None else plain(value)
            for column, value in zip(columns, row, strict=True)
        }


def plain(value: object) -> object:
    """A value as the archive writes it: ISO times in UTC, bytes as base64, decimals as strings."""
    match value:
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case bytes() | memoryview():
            return base64.b64encode(bytes(value)).decode()
        case Decimal():
            return format(value, "f")
        case None | bool() | int() | float() | str() | list() | dict():
            return value
        case _:
            return str(value)


async def _columns(work: Work, name: str) -> list[str]:
    rows = await work.session.execute(
        text(
            "select attname from pg_attribute where attrelid = cast(:name as regclass) "
            "and attnum > 0 and not attisdropped order by attnum"
        ),
        {"name": name},
    )
    return [row.attname for row in rows]


def _given(mine: str, subject: Subject) -> dict[str, object]:
    values: dict[str, object] = {}
    if ":person" in mine:
        values["person"] = subject.id
    if ":email" in mine:
        values["email"] = subject.email.lower()
    return values
