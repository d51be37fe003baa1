"""Every statement on identity's tables."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts import Device, Session, User
from aihub.services.identity.domain import browser_in_words
from aihub.services.identity.models import RoleRow, SessionRow, UserRoleRow, UserRow
from aihub.services.identity.queries.api_keys import change_key as change_key
from aihub.services.identity.queries.api_keys import insert_key as insert_key
from aihub.services.identity.queries.api_keys import key as key
from aihub.services.identity.queries.api_keys import key_by_hash as key_by_hash
from aihub.services.identity.queries.api_keys import keys as keys
from aihub.services.identity.queries.api_keys import live_keys as live_keys
from aihub.services.identity.queries.api_keys import revoke_key as revoke_key
from aihub.services.identity.queries.api_keys import rotate_key as rotate_key
from aihub.services.identity.queries.api_keys import touch_key as touch_key
from aihub.services.identity.queries.authority import access as access
from aihub.services.identity.queries.authority import administrator_exists as administrator_exists
from aihub.services.identity.queries.authority import declare_permissions as declare_permissions
from aihub.services.identity.queries.authority import declare_roles as declare_roles
from aihub.services.identity.queries.authority import give_roles as give_roles
from aihub.services.identity.queries.authority import grant_defaults as grant_defaults
from aihub.services.identity.queries.authority import permission_names as permission_names
from aihub.services.identity.queries.authority import roles as roles
from aihub.services.identity.queries.authority import take_roles as take_roles

TOUCH_EVERY = timedelta(minutes=1)

# Advisory locks: any two constants that are ours alone.
_ADMINISTRATORS = 7_302_640_202
_REGISTRY = 7_302_640_203


async def lock_administrators(work: Work) -> None:
    """Until this work ends, nobody else changes who is super_admin, or sets the hub up."""
    await work.session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADMINISTRATORS})


async def lock_registry(work: Work) -> None:
    """Until this work ends, nobody else writes the declared permissions and roles."""
    await work.session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _REGISTRY})


# ---------------------------------------------------------------- users

_ROLE_NAMES = (
    select(func.array_agg(aggregate_order_by(RoleRow.name, RoleRow.name)))
    .join(UserRoleRow, UserRoleRow.role_id == RoleRow.id)
    .where(
        UserRoleRow.user_id == UserRow.id,
        UserRoleRow.expires_at.is_(None) | (UserRoleRow.expires_at > func.now()),
    )
    .scalar_subquery()
)
_USER = (
    UserRow.id,
    UserRow.email,
    UserRow.name,
    UserRow.active,
    UserRow.locale,
    UserRow.theme,
    func.coalesce(_ROLE_NAMES, text("'{}'::text[]")),
    UserRow.created_at,
    UserRow.last_sign_in_at,
    UserRow.email_verified_at,
    UserRow.leaving_at,
)


def _user(row: Sequence[Any]) -> User:
    user_id, email, name, active, locale, theme, roles, *times = row
    return User(user_id, email, name, active, locale, theme, tuple(roles), *times)


async def user(work: Work, user_id: UUID) -> User | None:
    row = (await work.session.execute(select(*_USER).where(UserRow.id == user_id))).one_or_none()
    return _user(row) if row else None


async def user_by_email(work: Work, email: str) -> User | None:
    statement = select(*_USER).where(func.lower(UserRow.email) == email)
    row = (await work.session.execute(statement)).one_or_none()
    return _user(row) if row else None


async def users(work: Work, search: str, after: UUID | None, limit: int) -> list[User]:
    """Users whose name or address contains `search`, the newest first, from below `after`."""
    statement = select(*_USER).order_by(UserRow.id.desc()).limit(limit)
    if search:
        statement = statement.where(
            UserRow.email.icontains(search, autoescape=True) | UserRow.name.icontains(search, autoescape=True)
        )
    if after is not None:
        statement = statement.where(UserRow.id < after)
    return [_user(row) for row in await work.session.execute(statement)]


async def insert_user(work: Work, email: str, name: str, password_hash: str | None) -> UUID | None:
    """The new user's id, or None when the address is taken."""
    statement = (
        insert(UserRow)
        .values(id=new_id(), email=email, name=name, password_hash=password_hash)
        .on_conflict_do_nothing()
        .returning(UserRow.id)
    )
    return await work.session.scalar(statement)


async def update_user(work: Work, user_id: UUID, **values: object) -> None:
    await work.session.execute(
        update(UserRow).where(UserRow.id == user_id).values(updated_at=func.now(), **values)
    )


async def lock_user(work: Work, user_id: UUID) -> bool:
    """Nobody else changes this user until this work ends. False when there is none."""
    found = await work.session.scalar(select(UserRow.id).where(UserRow.id == user_id).with_for_update())
    return found is not None


async def password_of(work: Work, email: str) -> tuple[UUID, str | None, bool] | None:
    """The id, password hash and activity of the account with this address."""
    row = (
        await work.session.execute(
            select(UserRow.id, UserRow.password_hash, UserRow.active).where(
                func.lower(UserRow.email) == email
            )
        )
    ).one_or_none()
    return (row.id, row.password_hash, row.active) if row else None


async def lock_password(work: Work, user_id: UUID, hashed: str) -> bool:
    """Whether the account is active and still has this password; it stays so until this work ends."""
    statement = select(UserRow.password_hash, UserRow.active).where(UserRow.id == user_id).with_for_update()
    row = (await work.session.execute(statement)).one_or_none()
    return row is not None and row.active and row.password_hash == hashed


async def rehash_password(work: Work, user_id: UUID, before: str, after: str) -> bool:
    """Store the same password under another hash, unless it was changed meanwhile."""
    statement = (
        update(UserRow)
        .where(UserRow.id == user_id, UserRow.password_hash == before)
        .values(password_hash=after)
        .returning(UserRow.id)
    )
    return await work.session.scalar(statement) is not None


# ---------------------------------------------------------------- sessions


async def insert_session(
    work: Work,
    owner_id: UUID,
    token_hash: bytes,
    now: datetime,
    expires_at: datetime,
    ip: str | None,
    agent: str | None,
    second_factor: bool = False,
    client: str | None = None,
) -> Session:
    session_id = new_id()
    await work.session.execute(
        insert(SessionRow).values(
            id=session_id,
            owner_id=owner_id,
            token_hash=token_hash,
            created_at=now,
            last_seen_at=now,
            expires_at=expires_at,
            ip=ip,
            user_agent=agent,
            proved_at=now,
            second_factor=second_factor,
            client=client,
        )
    )
    return Session(session_id, owner_id, expires_at, now, now, second_factor, client)


_SESSION = (
    SessionRow.id,
    SessionRow.owner_id,
    SessionRow.expires_at,
    SessionRow.last_seen_at,
    SessionRow.proved_at,
    SessionRow.second_factor,
    SessionRow.client,
)


async def past_sign_ins(work: Work, owner_id: UUID, besides: UUID) -> list[tuple[str | None, str | None]]:
    """Address and browser of the owner's other sessions, ended ones too as long as they are kept."""
    statement = select(SessionRow.ip, SessionRow.user_agent).where(
        SessionRow.owner_id == owner_id, SessionRow.id != besides
    )
    return [(ip, agent) for ip, agent in await work.session.execute(statement.distinct())]


async def session_by_token(work: Work, token_hash: bytes) -> Session | None:
    """The session of a token, unless it was revoked."""
    row = (
        await work.session.execute(
            select(*_SESSION).where(SessionRow.token_hash == token_hash, SessionRow.revoked_at.is_(None))
        )
    ).one_or_none()
    return Session(*row) if row else None


async def session(work: Work, session_id: UUID) -> Session | None:
    row = (await work.session.execute(select(*_SESSION).where(SessionRow.id == session_id))).one_or_none()
    return Session(*row) if row else None


async def live_sessions(work: Work, owner_id: UUID, seen_after: datetime, now: datetime) -> list[Device]:
    """The owner's sessions that have not ended, the last used first."""
    rows = await work.session.execute(
        select(
            SessionRow.id,
            SessionRow.created_at,
            SessionRow.last_seen_at,
            SessionRow.expires_at,
            SessionRow.ip,
            SessionRow.user_agent,
            SessionRow.second_factor,
            SessionRow.client,
        )
        .where(
            SessionRow.owner_id == owner_id,
            SessionRow.revoked_at.is_(None),
            (SessionRow.last_seen_at > seen_after) | SessionRow.client.is_not(None),
            SessionRow.expires_at > now,
        )
        .order_by(SessionRow.last_seen_at.desc(), SessionRow.id.desc())
    )
    return [
        Device(
            row.id,
            row.created_at,
            row.last_seen_at,
            row.expires_at,
            row.ip,
            *browser_in_words(row.user_agent),
            row.second_factor,
            row.client,
        )
        for row in rows
    ]


async def prove_session(work: Work, session_id: UUID, now: datetime, *, second_factor: bool) -> None:
    """Note that its person showed that it is still them."""
    values: dict[str, object] = {"proved_at": now} | ({"second_factor": True} if second_factor else {})
    await work.session.execute(update(SessionRow).where(SessionRow.id == session_id).values(**values))


async def touch_session(work: Work, session_id: UUID, now: datetime) -> None:
    """Note that the session was used, to the minute."""
    await work.session.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.last_seen_at < now - TOUCH_EVERY)
        .values(last_seen_at=now)
    )


async def revoke_sessions(
    work: Work,
    *,
    session_id: UUID | None = None,
    owner_id: UUID | None = None,
    keep: UUID | None = None,
    everybodys: bool = False,
) -> int:
    """End one session, or all of an owner's but `keep`, or `everybodys`; how many."""
    statement = update(SessionRow).where(SessionRow.revoked_at.is_(None)).values(revoked_at=func.now())
    if session_id is not None:
        statement = statement.where(SessionRow.id == session_id)
    elif not everybodys:
        statement = statement.where(SessionRow.owner_id == owner_id)
    if keep is not None:
        statement = statement.where(SessionRow.id != keep)
    return len((await work.session.execute(statement.returning(SessionRow.id))).all())


# ---------------------------------------------------------------- cleaning up


async def forget_old(work: Work, before: datetime) -> None:
    """Delete sessions that ended before then, and attempts made before then."""
    await work.session.execute(
        delete(SessionRow).where((SessionRow.expires_at < before) | (SessionRow.revoked_at < before))
    )
    await work.session.execute(text("delete from sign_in_attempts where at < :before"), {"before": before})
