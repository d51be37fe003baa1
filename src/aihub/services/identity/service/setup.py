"""The first start: a link on the console makes the first super_admin, once."""

from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.tokens import new_token, token_hash
from aihub.services.identity import queries
from aihub.services.identity.contracts import SetupDone, SetupLinkInvalid, User, Wallets
from aihub.services.identity.domain import SETUP_LINK_LIFE, SUPER_ADMIN
from aihub.services.identity.queries import links
from aihub.services.identity.service.accounts import create_user
from aihub.services.identity.service.new_passwords import NewPassword

_CLOCK = Clock()


async def setup_needed(work: Work) -> bool:
    """Whether the hub has no active super_admin yet."""
    return not await queries.administrator_exists(work)


async def ensure_setup_link(work: Work, clock: Clock = _CLOCK) -> str | None:
    """A one-time token, good for a day, when no super_admin exists; else None.

    Each start makes one, because only the hash of the last is kept. Whoever uses one of them first ends
    them all.
    """
    await queries.lock_administrators(work)
    if await queries.administrator_exists(work):
        return None
    token = new_token("")
    await links.insert_setup_link(work, token_hash(token), clock.now() + SETUP_LINK_LIFE)
    return token


async def look_at_setup_link(work: Work, token: str, clock: Clock = _CLOCK) -> None:
    """Whether the link still works, without using it. Raises SetupDone or SetupLinkInvalid."""
    if await queries.administrator_exists(work):
        raise SetupDone()
    if not await links.setup_link_valid(work, token_hash(token), clock.now()):
        raise SetupLinkInvalid()


async def complete_setup(
    work: Work,
    *,
    token: str,
    email: str,
    name: str,
    password: NewPassword,
    wallets: Wallets,
    clock: Clock = _CLOCK,
) -> User:
    """Create the first super_admin. Of two at once one succeeds.

    Raises SetupDone, SetupLinkInvalid or InvalidRequest.
    """
    await queries.lock_administrators(work)
    await look_at_setup_link(work, token, clock)
    return await create_user(
        work, email=email, password=password, name=name, roles=(SUPER_ADMIN,), wallets=wallets
    )
