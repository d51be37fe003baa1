"""Every statement on refresh tokens and signing keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts import Session
from aihub.services.identity.contracts.tokens import KeyState, SigningKey
from aihub.services.identity.models import SessionRow
from aihub.services.identity.models.tokens import RefreshTokenRow, SigningKeyRow

_SIGNING_KEYS = 7_302_640_208  # an advisory lock: any constant that is ours alone
_SESSION = (
    SessionRow.id,
    SessionRow.owner_id,
    SessionRow.expires_at,
    SessionRow.last_seen_at,
    SessionRow.proved_at,
    SessionRow.second_factor,
    SessionRow.client,
)


# ---------------------------------------------------------------- families


async def family(work: Work, session_id: UUID, now: datetime) -> Session | None:
    """The session behind a program's tokens, while it lasts."""
    row = (
        await work.session.execute(
            select(*_SESSION).where(
                SessionRow.id == session_id,
                SessionRow.client.is_not(None),
                SessionRow.revoked_at.is_(None),
                SessionRow.expires_at > now,
            )
        )
    ).one_or_none()
    return Session(*row) if row else None


async def prolong(
    work: Work, session_id: UUID, now: datetime, life: timedelta, longest: timedelta
) -> Session | None:
    """Let a live family last `life` from now, and never `longest` from when it began. None: it has ended."""
    row = (
        await work.session.execute(
            update(SessionRow)
            .where(SessionRow.id == session_id, SessionRow.revoked_at.is_(None), SessionRow.expires_at > now)
            .values(last_seen_at=now, expires_at=func.least(SessionRow.created_at + longest, now + life))
            .returning(*_SESSION)
        )
    ).one_or_none()
    return Session(*row) if row else None


async def insert_refresh(
    work: Work,
    session: Session,
    token_hash: bytes,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime,
) -> None:
    await work.session.execute(
        insert(RefreshTokenRow).values(
            id=new_id(),
            owner_id=session.owner_id,
            session_id=session.id,
            token_hash=token_hash,
            scopes=list(scopes),
            created_at=now,
            expires_at=expires_at,
        )
    )


async def use_refresh(work: Work, token_hash: bytes, now: datetime) -> RefreshTokenRow | None:
    """Use a token up: of many at once one gets it. None: there is none, or it was used, or has expired."""
    statement = (
        update(RefreshTokenRow)
        .where(
            RefreshTokenRow.token_hash == token_hash,
            RefreshTokenRow.used_at.is_(None),
            RefreshTokenRow.expires_at > now,
        )
        .values(used_at=now)
        .returning(RefreshTokenRow)
    )
    return cast("RefreshTokenRow | None", await work.session.scalar(statement))


async def used_refresh(work: Work, token_hash: bytes) -> RefreshTokenRow | None:
    """The token of this hash, when it was used."""
    statement = select(RefreshTokenRow).where(
        RefreshTokenRow.token_hash == token_hash, RefreshTokenRow.used_at.is_not(None)
    )
    return cast("RefreshTokenRow | None", await work.session.scalar(statement))


# ---------------------------------------------------------------- signing keys


def _key(row: SigningKeyRow) -> SigningKey:
    return SigningKey(row.kid, cast(KeyState, row.state), row.public_key, row.created_at, row.retired_at)


async def lock_signing_keys(work: Work) -> None:
    """Until this work ends, nobody else makes or retires signing keys."""
    await work.session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _SIGNING_KEYS})


async def signing_keys(work: Work) -> list[SigningKey]:
    """All that are kept, the newest first."""
    rows = await work.session.scalars(
        select(SigningKeyRow)
        .order_by(SigningKeyRow.created_at.desc(), SigningKeyRow.kid)
        .execution_options(populate_existing=True)
    )
    return [_key(row) for row in rows]


async def current_key(work: Work) -> tuple[str, bytes] | None:
    """The id and the sealed private key of the one that signs."""
    statement = select(SigningKeyRow.kid, SigningKeyRow.sealed).where(SigningKeyRow.state == "current")
    row = (await work.session.execute(statement)).one_or_none()
    return (row.kid, row.sealed) if row else None


async def insert_key(
    work: Work, kid: str, state: KeyState, public: Mapping[str, Any], sealed: bytes, now: datetime
) -> None:
    await work.session.execute(
        upsert(SigningKeyRow).values(
            kid=kid,
            state=state,
            public_key=dict(public),
            sealed=sealed,
            created_at=now,
            activated_at=now if state == "current" else None,
        )
    )


async def move_key(work: Work, before: KeyState, after: KeyState, now: datetime) -> None:
    """The key in one state goes to the next one."""
    moment = {"retired_at": now} if after == "retired" else {"activated_at": now}
    await work.session.execute(
        update(SigningKeyRow).where(SigningKeyRow.state == before).values(state=after, **moment)
    )


async def delete_keys(work: Work, *, retired_before: datetime | None = None) -> int:
    """Forget keys that were retired before then, or all of them; how many."""
    statement = delete(SigningKeyRow).returning(SigningKeyRow.kid)
    if retired_before is not None:
        statement = statement.where(SigningKeyRow.retired_at < retired_before)
    return len((await work.session.execute(statement)).all())


# ---------------------------------------------------------------- cleaning up


async def forget_old(work: Work, before: datetime) -> None:
    """Delete refresh tokens that ended before then, or that were never to be used again."""
    await work.session.execute(
        delete(RefreshTokenRow).where(
            or_(
                RefreshTokenRow.expires_at < before,
                RefreshTokenRow.session_id.in_(select(SessionRow.id).where(SessionRow.revoked_at < before)),
            )
        )
    )
