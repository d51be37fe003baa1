"""Statements about many people at once: finding them, counting them, seeing them at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from aihub.kernel.db import Work
from aihub.services.identity.contracts.people import Person, PersonFilter, Statistics
from aihub.services.identity.domain import SESSION_IDLE

_ROLES = """
  select array_agg(r.name order by r.name) from user_roles ur join roles r on r.id = ur.role_id
  where ur.user_id = u.id and (ur.expires_at is null or ur.expires_at > :now)
"""
_STRONG = """
  (exists (select from passkeys p where p.owner_id = u.id)
   or exists (select from totp_secrets t where t.owner_id = u.id and t.secret is not null))
"""
_PERSON = f"""
select u.id, u.email, u.name, u.active, u.locale, u.created_at, u.last_sign_in_at, u.email_verified_at,
       u.leaving_at, coalesce(({_ROLES}), array[]::text[]) as roles, {_STRONG} as second_factor,
       (select count(*) from api_keys k where k.owner_id = u.id and k.revoked_at is null
          and (k.expires_at is null or k.expires_at > :now)) as keys,
       (select count(*) from sessions s where s.owner_id = u.id and s.revoked_at is null
          and s.expires_at > :now and s.last_seen_at > :seen_after) as sessions
from users u
"""  # noqa: S608 - put together from constants
_STATISTICS = text(f"""
select count(*) as people, count(*) filter (where u.active) as active,
       count(*) filter (where u.active and {_STRONG}) as second_factor,
       count(*) filter (where u.last_sign_in_at is null) as never_signed_in,
       count(*) filter (where u.last_sign_in_at > :month_ago) as seen_lately,
       count(*) filter (where u.created_at > :month_ago) as new_lately,
       (select count(*) from one_time_links l where l.kind = 'invitation' and l.used_at is null
          and l.revoked_at is null and l.expires_at > :now) as invited
from users u
""")  # noqa: S608 - put together from constants
_ROLE_COUNTS = text("""
select r.name, count(ur.user_id) as people from roles r
left join user_roles ur on ur.role_id = r.id and (ur.expires_at is null or ur.expires_at > :now)
group by r.name
""")


@dataclass(frozen=True, slots=True)
class _Where:
    sql: str
    values: dict[str, Any]


def _where(wanted: PersonFilter, now: datetime) -> _Where:
    parts, values = ["true"], dict[str, Any]()
    values |= {"now": now, "seen_after": now - SESSION_IDLE}
    if wanted.search:
        parts.append("(u.email ilike :search or u.name ilike :search)")
        escaped = wanted.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["search"] = f"%{escaped}%"
    if wanted.active is not None:
        parts.append("u.active = :active")
        values["active"] = wanted.active
    if wanted.second_factor is not None:
        parts.append(_STRONG if wanted.second_factor else f"not {_STRONG}")
    if wanted.never_signed_in:
        parts.append("u.last_sign_in_at is null")
    if wanted.role is not None:
        parts.append(f":role = any({_ROLES.replace('array_agg(r.name order by r.name)', 'r.name')})")
        values["role"] = wanted.role
    return _Where(" and ".join(parts), values)


async def people(
    work: Work, wanted: PersonFilter, now: datetime, after: UUID | None, limit: int
) -> list[Person]:
    """People of this kind, the newest first, from below `after`."""
    where = _where(wanted, now)
    further = " and u.id < :after" if after is not None else ""
    statement = text(f"{_PERSON} where {where.sql}{further} order by u.id desc limit :limit")
    values = where.values | {"limit": limit} | ({"after": after} if after is not None else {})
    return [_person(row) for row in await work.session.execute(statement, values)]


async def person(work: Work, user_id: UUID, now: datetime) -> Person | None:
    """One person, with what there is to know at a glance."""
    values = {"user": user_id, "now": now, "seen_after": now - SESSION_IDLE}
    row = (await work.session.execute(text(f"{_PERSON} where u.id = :user"), values)).one_or_none()
    return _person(row) if row else None


async def statistics(work: Work, now: datetime, month_ago: datetime) -> Statistics:
    """How many people of each kind there are."""
    row = (await work.session.execute(_STATISTICS, {"now": now, "month_ago": month_ago})).one()
    roles = {r.name: r.people for r in await work.session.execute(_ROLE_COUNTS, {"now": now})}
    return Statistics(
        row.people,
        row.active,
        row.second_factor,
        row.never_signed_in,
        row.seen_lately,
        row.new_lately,
        row.invited,
        roles,
    )


async def with_account(work: Work, emails: Sequence[str]) -> set[str]:
    """Those of these addresses that have an account."""
    rows = await work.session.execute(
        text("select lower(email) from users where lower(email) = any(:emails)"), {"emails": list(emails)}
    )
    return set(rows.scalars())


async def with_invitation(work: Work, emails: Sequence[str], now: datetime) -> set[str]:
    """Those of these addresses that have an invitation which still works."""
    rows = await work.session.execute(
        text(
            "select email from one_time_links where kind = 'invitation' and used_at is null "
            "and revoked_at is null and expires_at > :now and email = any(:emails)"
        ),
        {"emails": list(emails), "now": now},
    )
    return set(rows.scalars())


def _person(row: Any) -> Person:
    return Person(
        id=row.id,
        email=row.email,
        name=row.name,
        active=row.active,
        locale=row.locale,
        roles=tuple(row.roles),
        created_at=row.created_at,
        last_sign_in_at=row.last_sign_in_at,
        email_verified_at=row.email_verified_at,
        leaving_at=row.leaving_at,
        second_factor=row.second_factor,
        keys=row.keys,
        sessions=row.sessions,
    )
