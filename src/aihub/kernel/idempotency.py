"""The same request sent twice is done once: `Idempotency-Key` and what was answered to it.

    status, answer = await once(database, actor, "POST /api/v1/keys", key, body, run)

The record and what `run` does commit together, so that there is never a deed without its record.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from pydantic_core import to_jsonable_python
from sqlalchemy import text

from aihub.kernel.auth import Actor
from aihub.kernel.db import Database, Scope, Work
from aihub.kernel.errors import FieldError, IdempotencyMismatch, InvalidRequest

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def once(
    database: Database,
    actor: Actor,
    route: str,
    key: str | None,
    body: object,
    run: Callable[[Work], Awaitable[tuple[int, object]]],
    *,
    scope: Scope | None = None,
) -> tuple[int, Any]:
    """Open a unit of work in the actor's scope (or `scope`), call `run` and return its status and answer
    as JSON values; for a key seen before with the same body, return the stored ones instead.

    Two at once with one key: the second waits for the first. When `run` raises, nothing is kept and the
    key can be used again. Raises IdempotencyMismatch for another body and InvalidRequest for a bad key.
    """
    async with database.work(scope or actor.scope) as work:
        if key is None:
            return _plain(await run(work))
        if not _KEY.fullmatch(key):
            raise InvalidRequest(
                errors=[FieldError("Idempotency-Key", "1 to 255 visible ASCII characters", "key")]
            )
        identity = {"owner": actor.user_id, "route": route, "key": key}
        digest = _digest(body)
        stored = await _claim(work, identity, digest)
        if stored is not None:
            return stored
        status, answer = _plain(await run(work))
        await work.session.execute(
            text(
                "update idempotency_records set status = :status, response = cast(:response as jsonb) "
                "where owner_id = :owner and route = :route and key = :key"
            ),
            {**identity, "status": status, "response": orjson.dumps(answer).decode()},
        )
        return status, answer


async def forget_old(work: Work, hours: int) -> None:
    """Delete records older than this."""
    await work.session.execute(
        text("delete from idempotency_records where created_at < now() - make_interval(hours => :hours)"),
        {"hours": hours},
    )


async def _claim(work: Work, identity: dict[str, Any], digest: bytes) -> tuple[int, Any] | None:
    """Take the key for this work, or give what was answered to it before."""
    taken = await work.session.execute(
        text(
            "insert into idempotency_records (owner_id, route, key, body_hash) "
            "values (:owner, :route, :key, :digest) on conflict do nothing returning 1"
        ),
        {**identity, "digest": digest},
    )
    if taken.scalar() is not None:
        return None
    rows = await work.session.execute(
        text(
            "select body_hash, status, response from idempotency_records "
            "where owner_id = :owner and route = :route and key = :key"
        ),
        identity,
    )
    row = rows.one()
    if row.body_hash != digest:
        raise IdempotencyMismatch()
    return row.status, row.response


def _digest(body: object) -> bytes:
    if not isinstance(body, bytes):
        body = orjson.dumps(to_jsonable_python(body), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).digest()


def _plain(outcome: tuple[int, object]) -> tuple[int, Any]:
    status, answer = outcome
    return status, to_jsonable_python(answer)
