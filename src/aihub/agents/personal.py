"""What conversations and runs hold about people."""

from collections.abc import AsyncIterator

from sqlalchemy import text

from aihub.agents.domain import file_name
from aihub.kernel.db import Work
from aihub.kernel.privacy import Original, PersonalData, Piece, Subject, count, delete_some, table
from aihub.kernel.privacy.tables import OWNED

_FILES = text("select id, name, text from attachments where owner_id = :person order by id")


async def _count(work: Work, subject: Subject) -> int:
    return await count(work, "attachments", OWNED, subject)


async def _export(work: Work, subject: Subject) -> AsyncIterator[Piece]:
    """The list of the files, then each as it was given."""
    without = {"text": "stands beside as a file of its own"}
    async for piece in table("attachments", "", order="id", withheld=without).export(work, subject):
        yield piece
    found = await work.session.stream(_FILES.execution_options(yield_per=5), {"person": subject.id})
    async for row in found:
        yield Original(f"attachments/{row.id}/{file_name(row.name)}", row.text.encode())


async def _erase(work: Work, subject: Subject) -> int:
    return await delete_some(work, "attachments", OWNED, subject)


PERSONAL = (
    table("run_events", "How answers came to be, piece by piece", order="run_id, seq"),
    PersonalData("attachments", "Files you attached to messages", ("attachments",), _count, _export, _erase),
    table("messages", "Your messages and the answers", order="id", newest_first="id desc"),
    table("runs", "Which answers were written, and when", order="id"),
    table("conversations", "Your conversations: titles, settings, links you shared", order="id"),
)
