"""Credits over HTTP."""

from datetime import datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import owned_by
from aihub.kernel.errors import NotFound
from aihub.kernel.runtime import Runtime
from aihub.services.credits import service
from aihub.services.credits.contracts import CreditsIn, CreditsOut, Entry, Kind
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import Line

router = APIRouter(prefix="/api/v1", tags=["credits"])

Reader = Annotated[Actor, requires("credits:read")]
Adjuster = Annotated[Actor, requires("credits:adjust")]


class BalanceBody(BaseModel):
    """The account the caller pays from, in credits. `available` is what no running call has reserved."""

    balance: CreditsOut
    held: CreditsOut
    available: CreditsOut


class EntryBody(BaseModel):
    id: str
    at: datetime
    kind: Kind
    amount: CreditsOut
    balance_after: CreditsOut
    reason: str
    model: str | None
    input_tokens: int | None
    output_tokens: int | None


class EntriesBody(BaseModel):
    items: list[EntryBody]
    next_cursor: str | None


class DayBody(BaseModel):
    date: str
    credits: CreditsOut
    tokens: int
    calls: int


class ModelBody(BaseModel):
    model: str
    credits: CreditsOut
    tokens: int
    calls: int


class UsageBody(BaseModel):
    """What was spent: every day of the range (UTC), and the models, the dearest first."""

    days: list[DayBody]
    models: list[ModelBody]


class AdjustBody(BaseModel):
    amount: Annotated[CreditsIn, Field(gt=0)]
    reason: Annotated[Line, Field(min_length=1, max_length=300)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _entry(entry: Entry) -> EntryBody:
    return EntryBody(
        id=str(entry.id),
        at=entry.at,
        kind=entry.kind,
        amount=entry.amount,
        balance_after=entry.balance_after,
        reason=entry.reason,
        model=entry.model,
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
    )


@router.get("/credits")
async def read_credits(request: Request, actor: Reader) -> BalanceBody:
    """The balance of the caller's own account; for a key with credits of its own, the key's."""
    async with _runtime(request).database.work(actor.scope) as work:
        found = await service.balance_of(work, actor.user_id, actor.key_id)
    if found is None:
        return BalanceBody(balance=0, held=0, available=0)
    return BalanceBody(balance=found.balance, held=found.held, available=found.available)


@router.get("/credits/entries")
async def list_credit_entries(
    request: Request,
    actor: Reader,
    cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EntriesBody:
    """Every movement on that account, the newest first."""
    async with _runtime(request).database.work(actor.scope) as work:
        rows, following = await service.entries_of(
            work, actor.user_id, actor.key_id, before=cursor, limit=limit
        )
    return EntriesBody(items=[_entry(row) for row in rows], next_cursor=str(following) if following else None)


@router.get("/credits/usage")
async def read_credit_usage(
    request: Request, actor: Reader, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> UsageBody:
    """Credits, tokens and calls by day and by model; a user's figures include all of their keys."""
    runtime = _runtime(request)
    now = runtime.clock.now()
    first = now.date() - timedelta(days=days - 1)
    since = datetime.combine(first, time.min, now.tzinfo)
    async with runtime.database.work(actor.scope) as work:
        used = await service.usage_of(work, actor.user_id, actor.key_id, since=since)
    by_day: dict[Any, list[int]] = {first + timedelta(days=n): [0, 0, 0] for n in range(days)}
    by_model: dict[str, list[int]] = {}
    for line in used:
        for sums in (by_day.setdefault(line.day, [0, 0, 0]), by_model.setdefault(line.model, [0, 0, 0])):
            sums[0] += line.credits
            sums[1] += line.tokens
            sums[2] += line.calls
    dearest = sorted(by_model.items(), key=lambda item: (-item[1][0], -item[1][2], item[0]))
    return UsageBody(
        days=[
            DayBody(date=day.isoformat(), credits=sums[0], tokens=sums[1], calls=sums[2])
            for day, sums in sorted(by_day.items())
        ],
        models=[
            ModelBody(model=model, credits=sums[0], tokens=sums[1], calls=sums[2]) for model, sums in dearest
        ],
    )


@router.post("/users/{user_id}/credits")
async def adjust_credits(
    request: Request,
    user_id: UUID,
    body: AdjustBody,
    actor: Adjuster,
    idempotency_key: Annotated[Line, Header(min_length=1, max_length=200)],
) -> EntryBody:
    """Give a user credits. The same Idempotency-Key again returns the same entry and gives nothing more."""
    async with _runtime(request).database.work(owned_by(user_id)) as work:
        if await identity.find_user(work, user_id) is None:
            raise NotFound("There is no such user.")
        entry = await service.adjust(
            work,
            owner_id=user_id,
            amount=body.amount,
            reason=body.reason,
            idempotency_key=f"{actor.user_id}:{idempotency_key}",
            actor=actor,
        )
    return _entry(entry)
