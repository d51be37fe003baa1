"""What identity's tables hold about people."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import text

from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.privacy import (
    PersonalData,
    Piece,
    Sheet,
    Subject,
    count,
    detach,
    select_rows,
    table,
)
from aihub.services.identity.service.leaving import erase_account

_HASH = "only a fingerprint is kept, and it is of use to nobody but an attacker"
_USER = "id = :person"
_ROLES = "user_id = :person"


async def _count_user(work: Work, subject: Subject) -> int:
    return await count(work, "users", _USER, subject)


async def _export_user(work: Work, subject: Subject) -> AsyncIterator[Piece]:
    yield Sheet(
        "data/account.json", select_rows(work, "users", _USER, subject, without={"password_hash": _HASH})
    )


async def _erase_user(work: Work, subject: Subject) -> int:
    return await erase_account(work, subject.id)


async def _count_roles(work: Work, subject: Subject) -> int:
    return await count(work, "user_roles", _ROLES, subject)


async def _export_roles(work: Work, subject: Subject) -> AsyncIterator[Piece]:
    async def rows() -> AsyncIterator[dict[str, object]]:
        found = await work.session.stream(
            text(
                "select r.name, r.title, to_char(ur.assigned_at at time zone 'UTC', "
                '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') as assigned_at, ur.expires_at, ur.reason '
                "from user_roles ur join roles r on r.id = ur.role_id where ur.user_id = :person order by 1"
            ),
            {"person": subject.id},
        )
        async for row in found.mappings():
            yield dict(row)

    yield Sheet("data/roles.json", rows())


async def _erase_roles(work: Work, subject: Subject) -> int:
    """Their own roles; and where they gave roles to others, that it was them."""
    rows = await work.session.execute(
        text("delete from user_roles where user_id = :person returning 1"), {"person": subject.id}
    )
    await detach(work, "user_roles", "assigned_by", subject)
    await detach(work, "resource_grants", "granted_by", subject)
    return len(rows.all())


def _account_hash(subject: Subject) -> dict[str, Any]:
    crypto = subject.runtime.get(Crypto)
    return {"account": crypto.sign("sign-in attempt", subject.email.lower().encode())}


async def _count_attempts(work: Work, subject: Subject) -> int:
    statement = text("select count(*) from sign_in_attempts where account_hash = :account")
    return int(await work.session.scalar(statement, _account_hash(subject)) or 0)


async def _export_attempts(work: Work, subject: Subject) -> AsyncIterator[Piece]:
    async def rows() -> AsyncIterator[dict[str, object]]:
        found = await work.session.execute(
            text(
                "select at, ip_prefix, failed from sign_in_attempts where account_hash = :account order by id"
            ),
            _account_hash(subject),
        )
        for row in found:
            yield {"at": row.at, "network": row.ip_prefix, "failed": row.failed}

    yield Sheet("data/sign_in_attempts.json", rows())


async def _erase_attempts(work: Work, subject: Subject) -> int:
    rows = await work.session.execute(
        text("delete from sign_in_attempts where account_hash = :account returning 1"), _account_hash(subject)
    )
    return len(rows.all())


PERSONAL = (
    table("sessions", "Browsers you signed in with", order="id", withheld={"token_hash": _HASH}),
    table(
        "refresh_tokens", "How programs of yours stay signed in", order="id", withheld={"token_hash": _HASH}
    ),
    table("passkeys", "Your passkeys (their public part)", order="id"),
    table(
        "totp_secrets",
        "Your authenticator app",
        withheld={
            "secret": "whoever has it can make your codes",
            "pending": "whoever has it can make your codes",
        },
    ),
    table("recovery_codes", "Your recovery codes", order="id", withheld={"code_hash": _HASH}),
    table("auth_challenges", "Steps of a sign-in that is under way", order="id"),
    table(
        "resource_grants",
        "Single things you were given access to",
        order="id",
        withheld={"granted_by": "the name of somebody else"},
    ),
    table("api_keys", "Your API keys", order="id", withheld={"hash": _HASH, "previous_hash": _HASH}),
    table("linked_sign_ins", "Accounts elsewhere that you sign in with", order="id"),
    table(
        "federation_attempts",
        "Sign-ins through another provider that are under way",
        order="id",
        withheld={"state_hash": _HASH, "browser_hash": _HASH},
    ),
    table(
        "federation_waiting",
        "Sign-ins through another provider that wait for one more step",
        mine="owner_id = :person or position(:email in lower(identity::text)) > 0",
        beyond_own=True,
        order="id",
        withheld={"browser_hash": _HASH},
    ),
    table(
        "user_role_sources",
        "Which of your roles another provider gave",
        mine="user_id = :person",
        order="role_id",
    ),
    table(
        "one_time_links",
        "Links sent to you, and invitations you sent",
        mine="owner_id = :person or created_by = :person or lower(email) = :email",
        beyond_own=True,
        order="id",
        withheld={"token_hash": _HASH},
    ),
    PersonalData(
        "sign_in_attempts",
        "Wrong passwords typed for your account",
        ("sign_in_attempts",),
        _count_attempts,
        _export_attempts,
        _erase_attempts,
        withheld={
            "account_hash": "a fingerprint of your address",
            "known": "a fingerprint of your browser",
        },
    ),
    PersonalData(
        "roles",
        "Your roles",
        ("user_roles",),
        _count_roles,
        _export_roles,
        _erase_roles,
        withheld={"assigned_by": "the name of somebody else"},
    ),
    PersonalData(
        "account",
        "Your account: address, name, language",
        ("users",),
        _count_user,
        _export_user,
        _erase_user,
        withheld={"password_hash": _HASH},
        last=True,
    ),
)
