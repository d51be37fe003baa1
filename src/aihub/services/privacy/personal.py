"""What the tables of privacy rights themselves hold about people."""

from collections.abc import AsyncIterator

from aihub.kernel.db import Work
from aihub.kernel.privacy import PersonalData, Piece, Subject, count, delete_some, detach, table
from aihub.kernel.privacy.tables import OWNED
from aihub.services.privacy import archive
from aihub.services.privacy.queries import exports

_EXPORTS = table(
    "data_exports",
    "Exports of your data",
    order="id",
    withheld={"secret": "part of the file's name", "requested_by": "who asked for it"},
)
# The deletion that is being carried out ends itself; what is left of it names nobody.
_OTHERS = "owner_id = :person and stage in ('cancelled', 'done')"


async def _erase_exports(work: Work, subject: Subject) -> int:
    """The files first: a row that is gone could no longer tell of them."""
    for export_id in await exports.ids_of(work, subject.id):
        archive.remove_files(subject.runtime.kernel.home, export_id)
    await detach(work, "data_exports", "requested_by", subject)
    return await delete_some(work, "data_exports", OWNED, subject)


async def _count_deletions(work: Work, subject: Subject) -> int:
    return await count(work, "deletions", OWNED, subject)


async def _export_deletions(work: Work, subject: Subject) -> AsyncIterator[Piece]:
    async for piece in table(
        "deletions", "", order="id", withheld={"requested_by": "who asked for it"}
    ).export(work, subject):
        yield piece


async def _erase_deletions(work: Work, subject: Subject) -> int:
    await detach(work, "deletions", "requested_by", subject)
    return await delete_some(work, "deletions", _OTHERS, subject)


PERSONAL = (
    PersonalData(
        "data_exports",
        "Exports of your data",
        ("data_exports",),
        _EXPORTS.count,
        _EXPORTS.export,
        _erase_exports,
        withheld=_EXPORTS.withheld,
    ),
    PersonalData(
        "deletions",
        "Deletions of your account that were asked for",
        ("deletions",),
        _count_deletions,
        _export_deletions,
        _erase_deletions,
        kept="The certificate of deletion needs its dates.",
        anonymous="It no longer says whose account it was, nor why.",
        withheld={"requested_by": "who asked for it"},
    ),
)
