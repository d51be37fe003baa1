"""Handing over what the hub holds about somebody."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work, owned_by, system
from aihub.kernel.errors import NotFound
from aihub.kernel.ids import new_id
from aihub.kernel.jobs import Job, defer
from aihub.kernel.privacy import PersonalData, Subject, personal_data
from aihub.services.identity.contracts import Letter, Post, User
from aihub.services.identity.service import find_user
from aihub.services.identity.service.accounts import may_change
from aihub.services.privacy import archive
from aihub.services.privacy.contracts import DataExport, ExportFailed, ExportGone, Holding
from aihub.services.privacy.domain import EXPORT_LIFE, KEPT_FAILED, size_in_words
from aihub.services.privacy.queries import exports

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

_PURPOSE = "privacy export link"
_OVERLOOKED = timedelta(minutes=5)
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Registry:
    """All personal data that the modules declared, in the order in which it is erased."""

    data: Sequence[PersonalData]

    @classmethod
    def of(cls, runtime: "Runtime") -> "Registry":
        return cls(personal_data(runtime.modules))


def subject_of(runtime: "Runtime", user: User, pseudonym: UUID = NOBODY) -> Subject:
    return Subject(user.id, user.email, pseudonym, runtime)


async def holdings(work: Work, runtime: "Runtime", user: User) -> list[Holding]:
    """What the hub holds about this person, in words; what it holds none of, too."""
    subject = subject_of(runtime, user)
    return [
        Holding(d.name, d.title, await d.count(work, subject), d.kept, d.anonymous)
        for d in runtime.get(Registry).data
    ]


async def ask_for_export(
    work: Work,
    runtime: "Runtime",
    owner_id: UUID,
    *,
    job: Job,
    actor: Actor | None,
    reason: str = "",
) -> DataExport:
    """Have the person's data written to a file; while one is being written, that one is given.

    Raises NotFound, or BeyondOwnPermissions for an account that may do more than the actor's.
    """
    if await find_user(work, owner_id) is None:
        raise NotFound("There is no such user.")
    own = actor is not None and actor.user_id == owner_id
    if actor is not None and not own:
        await may_change(work, actor, owner_id)
    wanted = new_id()
    export_id = await exports.add(
        work,
        wanted,
        owner_id,
        requested_by=actor.user_id if actor else None,
        reason=reason,
        secret=secrets.token_urlsafe(24),
        now=runtime.clock.now(),
    )
    if export_id == wanted:
        await order(work, job, export_id)
        await audit.record(
            work,
            actor=actor,
            action="privacy.export",
            target_kind="user",
            target_id=str(owner_id),
            details={"export": str(export_id)} | ({} if own else {"reason": reason}),
        )
    found = await exports.one(work, export_id)
    if found is None:
        raise ExportGone()
    return found


async def order(work: Work, job: Job, export_id: UUID) -> None:
    """One at a time for an export, and never two that wait."""
    name = f"export {export_id}"
    await defer(work, job, lock=name, queueing_lock=name, export_id=str(export_id))


async def list_exports(work: Work, owner_id: UUID) -> list[DataExport]:
    return await exports.of(work, owner_id)


async def own_export(
    work: Work, runtime: "Runtime", export_id: UUID, owner_id: UUID
) -> tuple[Path, DataExport]:
    """The file of one's own export. Raises ExportGone."""
    found = await exports.one(work, export_id, owner_id)
    return await _file(work, runtime, found)


async def export_by_link(
    work: Work, runtime: "Runtime", export_id: UUID, expires: int, signature: str
) -> tuple[Path, DataExport]:
    """The file that this link was made for. Raises ExportGone, whatever is wrong with it."""
    try:
        given = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        raise ExportGone() from None
    if not runtime.get(Crypto).verify(_PURPOSE, _signed(export_id, expires), given):
        raise ExportGone()
    if expires <= runtime.clock.now().timestamp():
        raise ExportGone()
    return await _file(work, runtime, await exports.one(work, export_id))


async def _file(work: Work, runtime: "Runtime", found: DataExport | None) -> tuple[Path, DataExport]:
    now = runtime.clock.now()
    if found is None or found.status != "ready" or found.expires_at is None or found.expires_at <= now:
        raise ExportGone()
    path = archive.path_of(runtime.kernel.home, found.id, await exports.secret_of(work, found.id) or "")
    if not path.is_file():
        raise ExportGone("The file is not on this machine.")
    return path, found


def link_of(crypto: Crypto, export_id: UUID, until: datetime) -> str:
    """The path that gives the file to whoever has it, until then."""
    expires = int(until.timestamp())
    signature = base64.urlsafe_b64encode(crypto.sign(_PURPOSE, _signed(export_id, expires))).decode()
    return f"/api/v1/exports/{export_id}?" + urlencode(
        {"expires": expires, "signature": signature.rstrip("=")}
    )


def _signed(export_id: UUID, expires: int) -> bytes:
    return export_id.bytes + expires.to_bytes(12, "big", signed=True)


async def remove_export(work: Work, runtime: "Runtime", export_id: UUID, actor: Actor) -> None:
    """Delete one's own export and its file, or stop it. Raises ExportGone."""
    if not await exports.remove(work, export_id, actor.user_id):
        raise ExportGone()

    async def remove() -> None:
        archive.remove_files(runtime.kernel.home, export_id)

    work.after_commit(remove)
    await audit.record(
        work,
        actor=actor,
        action="privacy.export_delete",
        target_kind="user",
        target_id=str(actor.user_id),
        details={"export": str(export_id)},
    )


async def write_export(runtime: "Runtime", export_id: UUID) -> None:
    """Write the file of an export and tell its person. Killed halfway, it begins again; done, it is left."""
    home, clock = runtime.kernel.home, runtime.clock
    registry = runtime.get(Registry).data
    async with runtime.database.work(system("begin an export")) as work:
        found = await exports.one(work, export_id)
        user = await find_user(work, found.owner_id) if found else None
        if user is None or found is None or found.status not in ("waiting", "running"):
            return
    subject = subject_of(runtime, user)
    # A name of its own for every try: what an earlier one left is not taken for this one's.
    secret = secrets.token_urlsafe(24)
    async with runtime.database.work(owned_by(user.id)) as work:
        total = sum([await data.count(work, subject) for data in registry])
        if not await exports.begin(work, export_id, secret, total, clock.now()):
            return
    archive.remove_files(home, export_id)

    async def progress(rows: int) -> None:
        async with runtime.database.work(owned_by(user.id)) as work:
            if not await exports.progress(work, export_id, secret, rows, clock.now()):
                raise _Unwanted()

    target = archive.path_of(home, export_id, secret)
    try:
        async with runtime.database.work(owned_by(user.id)) as work:
            rows, size = await archive.write(
                work, subject, registry, target, now=clock.now(), progress=progress
            )
        await _tell(runtime, user, export_id, secret, rows, size)
    except _Unwanted:
        target.unlink(missing_ok=True)


class _Unwanted(Exception):
    """Nobody waits for this file: the export was deleted, or another try took over."""


async def _tell(runtime: "Runtime", user: User, export_id: UUID, secret: str, rows: int, size: int) -> None:
    """The export is ready, and the letter that says so is on its way, both or neither."""
    until = runtime.clock.now() + EXPORT_LIFE
    async with runtime.database.work(system("an export is ready")) as work:
        done = await exports.finish(
            work, export_id, secret, rows=rows, size=size, now=runtime.clock.now(), life=EXPORT_LIFE
        )
        if not done:
            raise _Unwanted()
        values = {"size": size_in_words(size), "until": f"{until:%Y-%m-%d %H:%M} UTC"}
        path = link_of(runtime.get(Crypto), export_id, until)
        await runtime.get(Post).send(
            work, Letter("export_ready", user.email, user.locale, values, path, user.id, until)
        )


async def give_up(runtime: "Runtime", export_id: UUID) -> None:
    """It failed for the last time."""
    async with runtime.database.work(system("an export failed")) as work:
        await exports.fail(work, export_id, ExportFailed.code, runtime.clock.now())
    archive.remove_files(runtime.kernel.home, export_id)


async def export_to(runtime: "Runtime", user: User, file: Path) -> int:
    """Write the person's data to this file at once, for the command line; how many rows."""
    data = runtime.get(Registry).data
    async with runtime.database.work(owned_by(user.id)) as work:
        rows, _ = await archive.write(work, subject_of(runtime, user), data, file, now=runtime.clock.now())
    async with runtime.database.work(system("note an export")) as work:
        await audit.record(
            work,
            actor=None,
            action="privacy.export",
            target_kind="user",
            target_id=str(user.id),
            details={"way": "command line"},
        )
    return rows


async def tidy(runtime: "Runtime", job: Job) -> None:
    """Delete exports whose time is over, files that belong to none, and see to those nobody writes."""
    now, home = runtime.clock.now(), runtime.kernel.home
    async with runtime.database.work(system("tidy exports")) as work:
        for export_id in await exports.remove_past(work, now, now - KEPT_FAILED):
            archive.remove_files(home, export_id)
        lying = archive.export_ids(home)
        for export_id in lying - await exports.known(work, list(lying)):
            archive.remove_files(home, export_id)
        for export_id in await exports.silent_since(work, now - _OVERLOOKED):
            await order(work, job, export_id)
