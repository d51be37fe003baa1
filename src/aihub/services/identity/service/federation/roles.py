"""Roles that people have because a provider says that they belong to a group.

They follow the provider at each sign-in. Roles that somebody granted by hand are not touched.
"""

from collections.abc import Collection
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.db import Work
from aihub.kernel.telemetry.logs import get_logger
from aihub.services.identity import queries
from aihub.services.identity.contracts import LastAdministrator
from aihub.services.identity.contracts.federation import Identity, IdentityProvider
from aihub.services.identity.domain import SUPER_ADMIN
from aihub.services.identity.queries import federation, links

log = get_logger("aihub.identity")


async def follow_groups(work: Work, provider: IdentityProvider, user_id: UUID, identity: Identity) -> None:
    """Give and take the roles that the provider's groups stand for.

    The last super_admin stays one, whatever the provider says.
    """
    wanted = {role for group in identity.groups for role in provider.groups.get(group, ())}
    surplus = await federation.surplus_from_provider(work, user_id, provider.id, wanted)
    if SUPER_ADMIN in wanted or SUPER_ADMIN in surplus:
        await queries.lock_administrators(work)
    given = await federation.give_from_provider(work, user_id, provider.id, wanted)
    if SUPER_ADMIN in given:
        await links.close_setup_links(work)
    taken = await _take(work, provider, user_id, surplus)
    if given or taken:
        await audit.record(
            work,
            actor=None,
            action="user.roles_followed",
            target_kind="user",
            target_id=str(user_id),
            details={"provider": provider.handle, "given": sorted(given), "taken": sorted(taken)},
        )


async def give_back_roles(work: Work, provider: IdentityProvider) -> int:
    """Take every role that the provider gave; from how many people."""
    people = await federation.people_with_roles_of(work, provider.id)
    for user_id in people:
        await queries.lock_user(work, user_id)
        for name in await federation.surplus_from_provider(work, user_id, provider.id, ()):
            await federation.take_from_provider(work, user_id, provider.id, name)
    return len(people)


async def _take(work: Work, provider: IdentityProvider, user_id: UUID, surplus: Collection[str]) -> list[str]:
    taken = []
    for name in surplus:
        try:
            async with work.session.begin_nested():
                gone = await _take_one(work, provider, user_id, name)
        except LastAdministrator:
            log.warning("auth.last_administrator_kept", provider=provider.handle, user=str(user_id))
            continue
        if gone:
            taken.append(name)
    return taken


async def _take_one(work: Work, provider: IdentityProvider, user_id: UUID, name: str) -> bool:
    gone = await federation.take_from_provider(work, user_id, provider.id, name)
    if name == SUPER_ADMIN and not await queries.administrator_exists(work):
        raise LastAdministrator()
    return gone
