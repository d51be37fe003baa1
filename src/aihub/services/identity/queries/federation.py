"""Every statement on providers of sign-in, links to them and attempts to sign in with them."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts.federation import (
    Attempt,
    Identity,
    IdentityProvider,
    LinkedSignIn,
    Purpose,
    Step,
    Waiting,
)
from aihub.services.identity.models import RoleRow, SessionRow, UserRow
from aihub.services.identity.models.federation import (
    FederationAttemptRow,
    FederationWaitingRow,
    IdentityProviderRow,
    LinkedSignInRow,
    ProviderGroupRow,
    RoleSourceRow,
)

# ---------------------------------------------------------------- providers

_LINKED = (
    select(func.count())
    .where(LinkedSignInRow.provider_id == IdentityProviderRow.id)
    .correlate(IdentityProviderRow)
    .scalar_subquery()
)


async def provider_rows(work: Work, *, enabled: bool) -> list[tuple[str, str]]:
    """Handle and name of the providers, by name."""
    statement = select(IdentityProviderRow.handle, IdentityProviderRow.name)
    if enabled:
        statement = statement.where(IdentityProviderRow.enabled)
    rows = await work.session.execute(statement.order_by(func.lower(IdentityProviderRow.name)))
    return [(handle, name) for handle, name in rows]


async def providers(work: Work) -> list[IdentityProvider]:
    """Every provider, by name."""
    rows = await work.session.execute(
        select(IdentityProviderRow, _LINKED).order_by(func.lower(IdentityProviderRow.name))
    )
    groups = await _groups(work, None)
    return [_provider(row, linked, groups.get(row.id, {})) for row, linked in rows]


async def provider(work: Work, provider_id: UUID) -> IdentityProvider | None:
    return await _one(work, IdentityProviderRow.id == provider_id)


async def provider_by_handle(work: Work, handle: str) -> IdentityProvider | None:
    return await _one(work, IdentityProviderRow.handle == handle)


async def _one(work: Work, condition: Any) -> IdentityProvider | None:
    row = (await work.session.execute(select(IdentityProviderRow, _LINKED).where(condition))).one_or_none()
    if row is None:
        return None
    groups = await _groups(work, row[0].id)
    return _provider(row[0], row[1], groups.get(row[0].id, {}))


async def _groups(work: Work, provider_id: UUID | None) -> dict[UUID, dict[str, tuple[str, ...]]]:
    statement = select(ProviderGroupRow.provider_id, ProviderGroupRow.group_name, RoleRow.name).join(
        RoleRow, RoleRow.id == ProviderGroupRow.role_id
    )
    if provider_id is not None:
        statement = statement.where(ProviderGroupRow.provider_id == provider_id)
    found: dict[UUID, dict[str, tuple[str, ...]]] = {}
    for owner, group, role in await work.session.execute(
        statement.order_by(ProviderGroupRow.group_name, RoleRow.name)
    ):
        mapping = found.setdefault(owner, {})
        mapping[group] = (*mapping.get(group, ()), role)
    return found


def _provider(
    row: IdentityProviderRow, linked: int, groups: Mapping[str, tuple[str, ...]]
) -> IdentityProvider:
    return IdentityProvider(
        row.id,
        row.handle,
        row.name,
        row.issuer,
        row.client_id,
        row.client_secret is not None,
        tuple(row.scopes),
        row.enabled,
        row.allow_private,
        row.create_accounts,
        row.trust_addresses,
        tuple(row.domains),
        row.group_claim,
        groups,
        linked,
        row.created_at,
    )


async def sealed_secret(work: Work, provider_id: UUID) -> bytes | None:
    statement = select(IdentityProviderRow.client_secret).where(IdentityProviderRow.id == provider_id)
    return await work.session.scalar(statement)


async def lock_provider(work: Work, provider_id: UUID) -> bool:
    """Nobody else changes this provider until this work ends. False when there is none."""
    statement = select(IdentityProviderRow.id).where(IdentityProviderRow.id == provider_id).with_for_update()
    return await work.session.scalar(statement) is not None


async def insert_provider(work: Work, provider_id: UUID, **values: Any) -> bool:
    """False when the handle is taken."""
    statement = (
        insert(IdentityProviderRow)
        .values(id=provider_id, **values)
        .on_conflict_do_nothing()
        .returning(IdentityProviderRow.id)
    )
    return await work.session.scalar(statement) is not None


async def update_provider(work: Work, provider_id: UUID, **values: Any) -> None:
    statement = update(IdentityProviderRow).where(IdentityProviderRow.id == provider_id)
    await work.session.execute(statement.values(updated_at=func.now(), **values))


async def delete_provider(work: Work, provider_id: UUID) -> None:
    await work.session.execute(delete(IdentityProviderRow).where(IdentityProviderRow.id == provider_id))


_MAP_GROUP = text("""
insert into identity_provider_groups (provider_id, group_name, role_id)
select :provider, :group, id from roles where name = any(cast(:names as text[])) on conflict do nothing
""")


async def set_groups(work: Work, provider_id: UUID, groups: Mapping[str, Collection[str]]) -> None:
    """Which roles the people of which group get, in place of what was set before."""
    await work.session.execute(delete(ProviderGroupRow).where(ProviderGroupRow.provider_id == provider_id))
    for group, names in groups.items():
        given = {"provider": provider_id, "group": group, "names": list(names)}
        await work.session.execute(_MAP_GROUP, given)


# ---------------------------------------------------------------- roles that a provider gave

_GIVE = text("""
with wanted as (select id from roles where name = any(cast(:names as text[]))),
given as (
  insert into user_roles (user_id, role_id) select :user, id from wanted
  on conflict (user_id, role_id) do update
    set expires_at = null, expiry_noted = false, assigned_by = null, assigned_at = now()
    where user_roles.expires_at <= now()
  returning role_id
),
known as (
  select s.role_id from user_role_sources s join wanted w on w.id = s.role_id where s.user_id = :user
)
select r.name, r.id, g.role_id is not null as fresh
from roles r
left join given g on g.role_id = r.id
where r.id in (select role_id from given union select role_id from known)
""")
_NOTE = text("""
insert into user_role_sources (user_id, role_id, provider_id)
select :user, id, :provider from unnest(cast(:roles as uuid[])) id on conflict do nothing
""")
_SURPLUS = text("""
select r.name from user_role_sources s join roles r on r.id = s.role_id
where s.user_id = :user and s.provider_id = :provider and not r.name = any(cast(:names as text[]))
order by r.name
""")
_FORGET_SOURCE = text("""
delete from user_role_sources s using roles r
where r.id = s.role_id and r.name = :name and s.user_id = :user and s.provider_id = :provider
""")
_TAKE = text("""
delete from user_roles ur using roles r
where r.id = ur.role_id and r.name = :name and ur.user_id = :user
  and not exists (select from user_role_sources s where s.user_id = ur.user_id and s.role_id = ur.role_id)
returning r.name
""")


async def give_from_provider(
    work: Work, user_id: UUID, provider_id: UUID, names: Collection[str]
) -> set[str]:
    """Give these roles in the name of the provider; which ones the user did not have before.

    A role that was granted by hand stays one that was granted by hand.
    """
    rows = (await work.session.execute(_GIVE, {"user": user_id, "names": list(names)})).all()
    ids = [row.id for row in rows]
    await work.session.execute(_NOTE, {"user": user_id, "provider": provider_id, "roles": ids})
    return {row.name for row in rows if row.fresh}


async def surplus_from_provider(
    work: Work, user_id: UUID, provider_id: UUID, names: Collection[str]
) -> list[str]:
    """The roles that the provider gave and does not give any more."""
    found = await work.session.scalars(
        _SURPLUS, {"user": user_id, "provider": provider_id, "names": list(names)}
    )
    return list(found)


async def take_from_provider(work: Work, user_id: UUID, provider_id: UUID, name: str) -> bool:
    """Take a role that the provider gave, unless another provider gives it too."""
    given = {"user": user_id, "provider": provider_id, "name": name}
    await work.session.execute(_FORGET_SOURCE, given)
    return await work.session.scalar(_TAKE, {"user": user_id, "name": name}) is not None


async def people_with_roles_of(work: Work, provider_id: UUID) -> list[UUID]:
    statement = select(RoleSourceRow.user_id).where(RoleSourceRow.provider_id == provider_id).distinct()
    return list(await work.session.scalars(statement.order_by(RoleSourceRow.user_id)))


# ---------------------------------------------------------------- links

_LINK = (
    LinkedSignInRow.id,
    LinkedSignInRow.owner_id,
    LinkedSignInRow.provider_id,
    IdentityProviderRow.handle,
    IdentityProviderRow.name,
    LinkedSignInRow.email,
    LinkedSignInRow.created_at,
    LinkedSignInRow.last_used_at,
)
_LINKS = select(*_LINK).join(IdentityProviderRow, IdentityProviderRow.id == LinkedSignInRow.provider_id)


async def lock_subject(work: Work, issuer: str, subject: str) -> None:
    """Until this work ends, nobody else decides whose account this is."""
    digest = hashlib.blake2b(f"{issuer}\0{subject}".encode(), digest_size=8, person=b"oidc").digest()
    key = int.from_bytes(digest, "big", signed=True)
    await work.session.execute(select(func.pg_advisory_xact_lock(key)))


async def link_of(work: Work, issuer: str, subject: str) -> LinkedSignIn | None:
    statement = _LINKS.where(LinkedSignInRow.issuer == issuer, LinkedSignInRow.subject == subject)
    row = (await work.session.execute(statement)).one_or_none()
    return LinkedSignIn(*row) if row else None


async def links(work: Work, owner_id: UUID) -> list[LinkedSignIn]:
    """The owner's links, the newest first."""
    statement = _LINKS.where(LinkedSignInRow.owner_id == owner_id).order_by(LinkedSignInRow.id.desc())
    return [LinkedSignIn(*row) for row in await work.session.execute(statement)]


async def insert_link(
    work: Work, owner_id: UUID, provider_id: UUID, issuer: str, identity: Identity, now: datetime
) -> UUID | None:
    """The new link's id, or None when that account is linked already."""
    statement = (
        insert(LinkedSignInRow)
        .values(
            id=new_id(),
            owner_id=owner_id,
            provider_id=provider_id,
            issuer=issuer,
            subject=identity.subject,
            email=identity.claimed_email,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(LinkedSignInRow.id)
    )
    return await work.session.scalar(statement)


async def used_link(work: Work, link_id: UUID, email: str | None, now: datetime) -> None:
    await work.session.execute(
        update(LinkedSignInRow).where(LinkedSignInRow.id == link_id).values(email=email, last_used_at=now)
    )


async def delete_link(work: Work, owner_id: UUID, link_id: UUID) -> bool:
    statement = (
        delete(LinkedSignInRow)
        .where(LinkedSignInRow.id == link_id, LinkedSignInRow.owner_id == owner_id)
        .returning(LinkedSignInRow.id)
    )
    return await work.session.scalar(statement) is not None


async def has_password(work: Work, user_id: UUID) -> bool:
    statement = select(UserRow.password_hash.is_not(None)).where(UserRow.id == user_id)
    return bool(await work.session.scalar(statement))


async def enabled_links(work: Work, owner_id: UUID) -> int:
    """How many of the owner's links lead to a provider that is in use."""
    statement = (
        select(func.count())
        .select_from(LinkedSignInRow)
        .join(IdentityProviderRow, IdentityProviderRow.id == LinkedSignInRow.provider_id)
        .where(LinkedSignInRow.owner_id == owner_id, IdentityProviderRow.enabled)
    )
    return int(await work.session.scalar(statement) or 0)


# ---------------------------------------------------------------- attempts


async def forget_ended(work: Work, now: datetime) -> None:
    """Delete attempts and waiting steps that have run out."""
    await work.session.execute(delete(FederationAttemptRow).where(FederationAttemptRow.expires_at < now))
    await work.session.execute(delete(FederationWaitingRow).where(FederationWaitingRow.expires_at < now))


async def insert_attempt(work: Work, **values: Any) -> None:
    await work.session.execute(insert(FederationAttemptRow).values(id=new_id(), **values))


async def take_attempt(
    work: Work, handle: str, state_hash: bytes, browser_hash: bytes, now: datetime
) -> Attempt | None:
    """The attempt, if it was begun in this browser and nobody took it before: of two at once one gets it."""
    taken = (
        delete(FederationAttemptRow)
        .where(
            FederationAttemptRow.provider_id == IdentityProviderRow.id,
            IdentityProviderRow.handle == handle,
            FederationAttemptRow.state_hash == state_hash,
            FederationAttemptRow.browser_hash == browser_hash,
            FederationAttemptRow.expires_at > now,
        )
        .returning(
            FederationAttemptRow.provider_id,
            FederationAttemptRow.purpose,
            FederationAttemptRow.owner_id,
            FederationAttemptRow.session_id,
            FederationAttemptRow.redirect_uri,
            FederationAttemptRow.next_path,
            FederationAttemptRow.created_at,
        )
    )
    row = (await work.session.execute(taken)).one_or_none()
    if row is None:
        return None
    provider_id, purpose, owner_id, session_id, redirect_uri, next_path, created_at = row
    return Attempt(
        provider_id, cast(Purpose, purpose), owner_id, session_id, redirect_uri, next_path, created_at
    )


# ---------------------------------------------------------------- steps that wait


async def put_waiting(
    work: Work,
    browser_hash: bytes,
    provider_id: UUID,
    step: Step,
    identity: Identity,
    *,
    owner_id: UUID | None,
    next_path: str,
    expires_at: datetime,
) -> None:
    """One step waits in a browser; a newer one takes its place."""
    values = {
        "provider_id": provider_id,
        "step": step,
        "owner_id": owner_id,
        "identity": identity.stored(),
        "next_path": next_path,
        "expires_at": expires_at,
    }
    statement = insert(FederationWaitingRow).values(id=new_id(), browser_hash=browser_hash, **values)
    await work.session.execute(
        statement.on_conflict_do_update(index_elements=[FederationWaitingRow.browser_hash], set_=values)
    )


async def waiting(
    work: Work, browser_hash: bytes, now: datetime, step: Step | None = None, *, lock: bool = False
) -> Waiting | None:
    """What waits in this browser; `lock`: nobody else takes it until this work ends."""
    statement = (
        select(
            FederationWaitingRow.id,
            FederationWaitingRow.provider_id,
            IdentityProviderRow.name,
            FederationWaitingRow.step,
            FederationWaitingRow.owner_id,
            FederationWaitingRow.identity,
            FederationWaitingRow.next_path,
        )
        .join(IdentityProviderRow, IdentityProviderRow.id == FederationWaitingRow.provider_id)
        .where(FederationWaitingRow.browser_hash == browser_hash, FederationWaitingRow.expires_at > now)
    )
    if step is not None:
        statement = statement.where(FederationWaitingRow.step == step)
    if lock:
        statement = statement.with_for_update(of=FederationWaitingRow)
    row = (await work.session.execute(statement)).one_or_none()
    if row is None:
        return None
    waiting_id, provider_id, name, found, owner_id, stored, next_path = row
    return Waiting(waiting_id, provider_id, name, cast(Step, found), owner_id, Identity.of(stored), next_path)


async def take_waiting(work: Work, waiting_id: UUID) -> bool:
    """Whether it was this call that took it."""
    statement = (
        delete(FederationWaitingRow)
        .where(FederationWaitingRow.id == waiting_id)
        .returning(FederationWaitingRow.id)
    )
    return await work.session.scalar(statement) is not None


async def set_proof(work: Work, session_id: UUID, proved_at: datetime) -> None:
    """When the person of a session last showed that it is them, where that was before the session."""
    await work.session.execute(
        update(SessionRow).where(SessionRow.id == session_id).values(proved_at=proved_at)
    )
