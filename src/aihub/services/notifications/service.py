"""Letters: stored with the deed they tell of, delivered afterwards, at least once.

A letter is acknowledged when the transaction that wrote it commits. A crash between the mail server's
"yes" and our note of it sends the letter again, with the same Message-ID.
"""

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import Conflict, NotFound
from aihub.kernel.ids import new_id
from aihub.kernel.jobs import Job, defer
from aihub.kernel.telemetry.logs import get_logger
from aihub.services.identity.contracts import Letter, Post
from aihub.services.notifications import queries
from aihub.services.notifications.adapters import smtp
from aihub.services.notifications.contracts import Contents, LetterGone, MailRefused, Posted
from aihub.services.notifications.letters import render
from aihub.services.notifications.settings import MailSettings

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.notifications")

KEPT = timedelta(days=30)
_OVERLOOKED = timedelta(minutes=5)
_SWEEP = 200
_SCOPE = system("deliver mail")


class PostOffice(Post):
    """Takes letters in and gives them to the mail server. One per process."""

    def __init__(
        self,
        settings: MailSettings,
        database: Database,
        crypto: Crypto,
        clock: Clock,
        hub: str,
        deliver: Job,
    ) -> None:
        self._settings, self._database, self._crypto, self._clock = settings, database, crypto, clock
        self._hub, self._job = hub, deliver
        self._sender = settings.sender or f"Smart AI Hub <aihub@{urlsplit(hub).hostname or 'localhost'}>"

    @classmethod
    def of(cls, runtime: "Runtime", deliver: Job) -> "PostOffice":
        return cls(
            runtime.settings[MailSettings],
            runtime.database,
            runtime.get(Crypto),
            runtime.clock,
            runtime.kernel.base_url(),
            deliver,
        )

    @property
    def delivers(self) -> bool:
        """Whether there is a mail server; without one letters stay in the outbox."""
        return self._settings.host is not None

    async def send(self, work: Work, letter: Letter) -> None:
        """Store a letter and its delivery in the caller's transaction."""
        letter_id = new_id()
        link = None if letter.path is None else f"{self._hub}{letter.path}"
        rendered = render(letter.kind, letter.locale, letter.values, self._hub, link)
        body = orjson.dumps({"text": rendered.text, "html": rendered.html, "link": link, "file": letter.file})
        await queries.add(
            work,
            id=letter_id,
            owner_id=letter.owner,
            kind=letter.kind,
            to_address=letter.to,
            locale=letter.locale,
            subject=rendered.subject,
            sealed=await self._crypto.seal(work, body, context=_context(letter_id)),
            message_id=f"<{letter_id}@{smtp.domain_of(self._sender)}>",
            created_at=self._clock.now(),
            expires_at=letter.expires_at,
            fleeting=letter.fleeting,
        )
        if self.delivers:
            await self._order(work, letter_id)

    async def deliver(self, letter_id: UUID, *, last_try: bool) -> None:
        """Give one letter to the mail server. Does nothing for one that does not wait any more.

        Raises MailRefused when it should be tried again.
        """
        if not self.delivers:
            return
        async with self._database.work(_SCOPE) as work:
            row = await queries.letter(work, letter_id)
            if row is None or row.status != "waiting" or row.sealed is None:
                return
            if row.expires_at is not None and row.expires_at <= self._clock.now():
                await queries.expire(work, self._clock.now())
                return
            contents = await self._contents(work, letter_id, row.sealed)
            envelope = smtp.Envelope(
                message_id=row.message_id,
                sender=self._sender,
                to=row.to_address,
                subject=row.subject,
                text=contents.text,
                html=contents.html,
                date=format_datetime(row.created_at),
                file=contents.file,
            )
        try:
            await smtp.deliver(self._settings, envelope)
        except MailRefused as exc:
            final = last_try or isinstance(exc, smtp.MailRefusedForGood)
            async with self._database.work(_SCOPE) as work:
                await queries.note_failure(work, letter_id, str(exc), final=final)
            log.warning("mail.refused", letter=str(letter_id), final=final, error=str(exc))
            if final:
                return
            raise
        async with self._database.work(_SCOPE) as work:
            await queries.note_sent(work, letter_id, self._clock.now())

    async def sweep(self) -> None:
        """Order letters again that were written without a mail server; forget what is of no use."""
        now = self._clock.now()
        async with self._database.work(_SCOPE) as work:
            await queries.expire(work, now)
            await queries.forget(work, now - KEPT)
            if self.delivers:
                for letter_id in await queries.waiting_since(work, now - _OVERLOOKED, _SWEEP):
                    await self._order(work, letter_id)

    async def retry(self, work: Work, letter_id: UUID, actor: Actor) -> Posted:
        """Try a failed letter again. Raises NotFound, LetterGone or Conflict."""
        before = await self.find(work, letter_id)
        if before.status != "failed":
            raise Conflict("Only a letter that failed can be tried again.")
        if not await queries.put_back(work, letter_id):
            raise LetterGone()
        await self._order(work, letter_id)
        await _record(work, "mail.retry", before, actor)
        return await self.find(work, letter_id)

    async def read(self, work: Work, letter_id: UUID, actor: Actor) -> tuple[Posted, Contents]:
        """A letter with what it says; that it was read is in the audit log. Raises NotFound or LetterGone."""
        posted = await self.find(work, letter_id)
        row = await queries.letter(work, letter_id)
        if row is None or row.sealed is None or _expired(row.expires_at, self._clock.now()):
            raise LetterGone()
        await _record(work, "mail.open", posted, actor)
        return posted, await self._contents(work, letter_id, row.sealed)

    async def find(self, work: Work, letter_id: UUID) -> Posted:
        """Raises NotFound."""
        posted = await queries.posted(work, letter_id)
        if posted is None:
            raise NotFound("There is no such letter.")
        return posted

    async def page(
        self, work: Work, *, status: str | None, after: UUID | None, limit: int
    ) -> tuple[list[Posted], UUID | None]:
        """Letters, the newest first, and where the next page begins."""
        rows = await queries.page(work, status, after, limit + 1)
        return list(rows[:limit]), rows[limit - 1].id if len(rows) > limit else None

    async def _order(self, work: Work, letter_id: UUID) -> None:
        # One at a time for a letter, and never two that wait.
        name = f"letter {letter_id}"
        await defer(work, self._job, lock=name, queueing_lock=name, letter_id=str(letter_id))

    async def _contents(self, work: Work, letter_id: UUID, sealed: bytes) -> Contents:
        said = orjson.loads(await self._crypto.open(work, sealed, context=_context(letter_id)))
        attached = said.get("file")
        return Contents(said["text"], said["html"], said["link"], tuple(attached) if attached else None)


def post_of(runtime: "Runtime") -> Post:
    """Takes letters in, in a process that delivers none: the hub finds and delivers them."""
    return PostOffice.of(runtime, Job("notifications.deliver", _elsewhere, queue="mail"))


async def _elsewhere(*_context: object, **_arguments: object) -> None:
    raise NotImplementedError("letters are delivered by the hub")


def _context(letter_id: UUID) -> str:
    return f"letter:{letter_id}"


def _expired(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at <= now


async def _record(work: Work, action: str, letter: Posted, actor: Actor) -> None:
    await audit.record(
        work,
        actor=actor,
        action=action,
        target_kind="letter",
        target_id=str(letter.id),
        details={"kind": letter.kind, "to": audit.veiled(letter.to_address)},
    )
