"""Counting failed sign-ins, the same for every process.

An attempt is written before the password is looked at, under a lock per account and per network, so
that guesses made side by side count each other. A right password takes its attempt back: only failures
count. While attempts are open that could still turn out to be right, further ones wait for them.

Nobody can lock somebody out for good by failing for them: a browser that was signed in to the account
before, and a session that is, count for themselves alone, whatever strangers do. (Passkeys are not
counted: there is nothing to guess.)
"""

import asyncio
import hashlib
import random
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import TextClause, text

from aihub.kernel.db import Database, Work, system
from aihub.kernel.limits import Allowance, Policy
from aihub.services.identity import queries
from aihub.services.identity.contracts import SignInFailed, TooManyAttempts

# An attempt nobody closed within this time belongs to a process that died; it counts as failed.
_ABANDONED = timedelta(seconds=60)
_PATIENCE = 15.0
_SCOPE = system("count sign-in attempts")

_LOCK = text("select pg_advisory_xact_lock(key) from unnest(cast(:keys as bigint[])) key")
_COUNT = """
select count(*) as tried,
       count(*) filter (where failed or at < now() - :abandoned) as failed,
       extract(epoch from (array_agg(at order by at desc) filter (where failed or at < now() - :abandoned))
         [cast(:limit as integer)] + :per - now()) as wait,
       extract(epoch from max(at) filter (where failed or at < now() - :abandoned) + :per - now()) as reset
from sign_in_attempts where at > now() - :per and {counted}
"""
_COUNT_ACCOUNT = text(_COUNT.format(counted="account_hash = :value and known is null"))
_COUNT_NETWORK = text(_COUNT.format(counted="ip_prefix = :value and known is null"))
_COUNT_KNOWN = text(_COUNT.format(counted="known = :value"))
_INSERT = text(
    "insert into sign_in_attempts (account_hash, ip_prefix, known) "
    "values (:account, :network, :known) returning id"
)
_FAILED = text("update sign_in_attempts set failed = true where id = :id")
_WITHDRAW = text("delete from sign_in_attempts where id = :id")
_FORGET = text(
    "delete from sign_in_attempts where account_hash = :account and known is not distinct from :known "
    "and (failed or id = :id)"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An admitted guess. Close it with `failed`, `withdraw` or `succeeded`."""

    id: int
    account: bytes
    network: str
    known: bytes | None
    left: int
    """How many more may fail after this one."""
    matched: tuple[UUID, str] | None = None
    """The user and the password hash that the guess was right about."""


async def admit(
    database: Database,
    account: bytes,
    network: str,
    *,
    limit: int,
    per: timedelta,
    known: bytes | None = None,
) -> Attempt:
    """Let a guess at this account from this network be made.

    `known` is a browser or session that was signed in to this account before. Raises
    TooManyAttempts when `limit` failed within `per`: of the known one; else on the account or from the
    network.
    """
    counted: list[tuple[TextClause, bytes | str]] = [(_COUNT_ACCOUNT, account), (_COUNT_NETWORK, network)]
    if known is not None:
        counted = [(_COUNT_KNOWN, known)]
    keys = sorted(_lock_key(value.encode() if isinstance(value, str) else value) for _, value in counted)
    deadline = time.monotonic() + _PATIENCE
    while True:
        async with database.work(_SCOPE) as work:
            await work.session.execute(_LOCK, {"keys": keys})
            most_tried = most_failed = 0
            for statement, value in counted:
                given = {"value": value, "limit": limit, "per": per, "abandoned": _ABANDONED}
                row = (await work.session.execute(statement, given)).one()
                if row.failed >= limit:
                    raise _refused(limit, per, float(row.wait), float(row.reset))
                most_tried, most_failed = max(most_tried, row.tried), max(most_failed, row.failed)
            if most_tried < limit:
                values = {"account": account, "network": network, "known": known}
                attempt_id = await work.session.scalar(_INSERT, values)
                return Attempt(int(attempt_id or 0), account, network, known, limit - most_failed - 1)
        if time.monotonic() > deadline:
            raise _refused(limit, per, 1, per.total_seconds())
        await asyncio.sleep(random.uniform(0.03, 0.12))  # noqa: S311 - jitter


async def failed(database: Database, attempt: Attempt) -> None:
    """The guess was wrong."""
    async with database.work(_SCOPE) as work:
        await work.session.execute(_FAILED, {"id": attempt.id})


async def withdraw(database: Database, attempt: Attempt) -> None:
    """The guess came to no decision; it does not count."""
    async with database.work(_SCOPE) as work:
        await work.session.execute(_WITHDRAW, {"id": attempt.id})


async def succeeded(work: Work, attempt: Attempt) -> None:
    """The guess was right: the account's failures are forgotten.

    Raises SignInFailed when the password was changed or the account deactivated since it was looked at.
    Until this work ends, neither can happen, so that a session begun in it is ended with the others.
    """
    if attempt.matched is not None and not await queries.lock_password(work, *attempt.matched):
        raise SignInFailed()
    given = {"account": attempt.account, "known": attempt.known, "id": attempt.id}
    await work.session.execute(_FORGET, given)


def allowance(limit: int, per: timedelta, left: int, reset: float) -> Allowance:
    """What may still fail, for the RateLimit headers."""
    policy = Policy("auth.login", limit, per.total_seconds(), counts="failures")
    return Allowance(policy, limit, left, reset)


def _refused(limit: int, per: timedelta, wait: float, reset: float) -> TooManyAttempts:
    seconds = max(1, int(wait) + 1)
    return TooManyAttempts(
        f"After {limit} failed sign-ins within {per.total_seconds() / 60:g} minutes there is a pause. "
        f"Try again in {seconds} s.",
        headers={"Retry-After": str(seconds), **allowance(limit, per, 0, reset).headers()},
    )


def _lock_key(data: bytes) -> int:
    digest = hashlib.blake2b(data, digest_size=8, person=b"sign-in").digest()
    return int.from_bytes(digest, "big", signed=True)
