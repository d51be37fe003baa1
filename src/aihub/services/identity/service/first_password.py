"""The first password of an account that has none: its person came by a provider, a passkey or a command."""

from aihub.kernel.auth import Actor
from aihub.kernel.db import Database, Work
from aihub.kernel.errors import FieldError, NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import WrongPassword
from aihub.services.identity.queries.federation import has_password
from aihub.services.identity.service.accounts import set_password
from aihub.services.identity.service.new_passwords import new_password


async def set_first_password(database: Database, actor: Actor, text: str) -> None:
    """Give one's own account a password. The way in has asked for a fresh proof.

    Raises WeakPassword, or WrongPassword when there is one already: that one has to be shown.
    """
    async with database.work(actor.scope) as work:
        await _require_none(work, actor)
        user = await queries.user(work, actor.user_id)
    if user is None:
        raise NotFound("There is no such user.")
    password = await new_password(text, "new_password", known=(user.email, user.name))
    async with database.work(actor.scope) as work:
        # Of two at once one is first; the other would have to show its password.
        await queries.lock_user(work, actor.user_id)
        await _require_none(work, actor)
        await set_password(work, actor.user_id, password, actor=actor, keep_session=actor.session_id)


async def _require_none(work: Work, actor: Actor) -> None:
    if await has_password(work, actor.user_id):
        raise WrongPassword(errors=[FieldError("current_password", "is missing", "missing")])
