"""Accounts that are about to be erased: they can do nothing any more but be kept after all."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import Request

from aihub.kernel.auth import Actor
from aihub.kernel.cache import Cache
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import LastAdministrator, User
from aihub.services.identity.contracts.leaving import AccountLeaving
from aihub.services.identity.domain import SUPER_ADMIN
from aihub.services.identity.queries import leaving
from aihub.services.identity.service.accounts import may_change

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

_STILL = ("/api/v1/session/", "/api/v1/me/deletion/")
_POLICY = "local"


class LeavingWatch:
    """Knows in this process who is about to be erased; a change is announced and holds at once."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache = database, cache

    @classmethod
    def of(cls, runtime: "Runtime") -> "LeavingWatch":
        return cls(runtime.database, runtime.get(Cache))

    async def require_staying(self, request: Request, actor: Actor) -> None:
        """Let somebody who is leaving do nothing but sign in and out, and keep the account.

        Raises AccountLeaving.
        """
        at = await self._cache.get(_POLICY, f"leaving:{actor.user_id}", lambda: self._load(actor.user_id))
        if at is None:
            return
        if actor.session_id is not None and f"{request.url.path}/".startswith(_STILL):
            return
        raise AccountLeaving(f"This account will be erased on {at:%Y-%m-%d at %H:%M} UTC.")

    async def _load(self, user_id: UUID) -> datetime | None:
        async with self._database.work(system("look for a deletion")) as work:
            return await leaving.leaving_at(work, user_id)


async def begin_leaving(
    work: Work, user_id: UUID, *, actor: Actor | None, at: datetime, keep_session: UUID | None = None
) -> User:
    """From now on the account can only be kept after all. Its sessions end, but `keep_session`; its keys
    stop at once.

    Raises NotFound, BeyondOwnPermissions, or LastAdministrator when no active super_admin would be left.
    """
    await queries.lock_administrators(work)
    if not await queries.lock_user(work, user_id):
        raise NotFound("There is no such user.")
    if actor is not None and actor.user_id != user_id:
        await may_change(work, actor, user_id)
    await leaving.set_leaving(work, user_id, at)
    user = await _existing(work, user_id)
    if SUPER_ADMIN in user.roles and not await queries.administrator_exists(work, lasting=True):
        raise LastAdministrator()
    await queries.revoke_sessions(work, owner_id=user_id, keep=keep_session)
    return user


async def keep_account(work: Work, user_id: UUID) -> User:
    """It stays after all, with all it had; its keys work again. Raises NotFound."""
    await leaving.set_leaving(work, user_id, None)
    return await _existing(work, user_id)


async def shut_account(work: Work, user_id: UUID) -> None:
    """Erasing begins: nobody signs in to it any more, and what is signed in ends."""
    await queries.lock_administrators(work)
    await queries.update_user(work, user_id, active=False)
    await queries.revoke_sessions(work, owner_id=user_id)


async def erase_account(work: Work, user_id: UUID) -> int:
    """Delete the row itself; how many."""
    return await leaving.delete_user(work, user_id)


async def _existing(work: Work, user_id: UUID) -> User:
    user = await queries.user(work, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user
