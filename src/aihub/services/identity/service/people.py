"""People as administrators see them: finding, counting, switching off and on, and what they may use."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import AihubError, NotFound
from aihub.services.identity.contracts import OwnAccount, Wallets
from aihub.services.identity.contracts.keys import Spending
from aihub.services.identity.contracts.people import Person, PersonFilter, Statistics
from aihub.services.identity.queries import people
from aihub.services.identity.service.accounts import may_change, update_user
from aihub.services.identity.service.keys import revoke_all, revoke_key

LATELY = timedelta(days=30)
_EXPORT_PAGE = 500


async def find_people(
    work: Work, wanted: PersonFilter, *, clock: Clock, after: UUID | None = None, limit: int = 50
) -> tuple[list[Person], UUID | None]:
    """A page of people, the newest first, and where the next page begins. One statement."""
    rows = await people.people(work, wanted, clock.now(), after, limit + 1)
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def find_person(work: Work, user_id: UUID, clock: Clock) -> Person:
    """Raises NotFound."""
    found = await people.person(work, user_id, clock.now())
    if found is None:
        raise NotFound("There is no such user.")
    return found


async def count_people(work: Work, clock: Clock) -> Statistics:
    now = clock.now()
    return await people.statistics(work, now, now - LATELY)


async def spending_of(
    work: Work, found: Sequence[Person], *, wallets: Wallets, clock: Clock
) -> Mapping[UUID, Spending]:
    """The money of these people, and their calls of the last thirty days. One statement."""
    return await wallets.spending(work, [person.id for person in found], clock.now() - LATELY)


async def everybody(
    database: Database, wanted: PersonFilter, *, wallets: Wallets | None, clock: Clock
) -> AsyncIterator[tuple[Person, Spending | None]]:
    """All people of this kind, a short unit of work for each piece. Without wallets nothing about money."""
    after: UUID | None = None
    while True:
        async with database.work(system("export people")) as work:
            found, after = await find_people(work, wanted, clock=clock, after=after, limit=_EXPORT_PAGE)
            spent = await spending_of(work, found, wallets=wallets, clock=clock) if wallets else {}
        for person in found:
            yield person, spent.get(person.id)
        if after is None:
            return


@dataclass(frozen=True, slots=True)
class Switched:
    """What became of one account of many. `error`: why it was left as it is."""

    id: UUID
    changed: bool
    error: AihubError | None = None


async def set_active(
    work: Work,
    user_ids: Sequence[UUID],
    *,
    active: bool,
    revoke_keys: bool,
    wallets: Wallets,
    actor: Actor,
    clock: Clock,
) -> list[Switched]:
    """Deactivate or activate these accounts, each by itself: one that may not be changed stays, and says why.

    A deactivated account is signed out for good; its keys are refused while it lasts, and with `revoke_keys`
    for good too.
    """
    done = []
    for user_id in dict.fromkeys(user_ids):
        try:
            async with work.session.begin_nested():
                if not active and user_id == actor.user_id:
                    raise OwnAccount()
                before = await find_person(work, user_id, clock)
                await update_user(work, user_id, actor=actor, active=active)
                if revoke_keys and not active:
                    await revoke_all(work, user_id, wallets=wallets, actor=actor)
        except AihubError as exc:
            done.append(Switched(user_id, changed=False, error=exc))
        else:
            done.append(Switched(user_id, changed=before.active != active))
    return done


async def revoke_key_of(work: Work, user_id: UUID, key_id: UUID, *, wallets: Wallets, actor: Actor) -> None:
    """End a key of somebody at once. Raises NotFound, and BeyondOwnPermissions for whoever may do more."""
    if user_id != actor.user_id:
        await may_change(work, actor, user_id)
    await revoke_key(work, owner_id=user_id, key_id=key_id, wallets=wallets, actor=actor)
