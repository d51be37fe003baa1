"""One's own API keys."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import Work
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.contracts.keys import Key
from aihub.services.identity.routes.key_bodies import (
    ApiKeyBody,
    KeyChange,
    KeyRequest,
    KeysBody,
    NewApiKeyBody,
    Rotation,
    key_body,
    wish_of,
)
from aihub.services.identity.service import fresh

router = APIRouter(prefix="/api/v1/keys", tags=["identity"])

Reader = Annotated[Actor, requires("keys:read")]
Keeper = Annotated[Actor, requires("keys:manage")]
Prover = Annotated[Actor, fresh("keys:manage")]
# A key that may manage keys makes others by itself: never one that can do more, or for longer.
Maker = Annotated[Actor, fresh("keys:manage", keys_too=True)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


async def key_bodies(runtime: Runtime, work: Work, keys: Sequence[Key]) -> list[ApiKeyBody]:
    """The keys with their money and budgets."""
    wallets = runtime.get(Wallets)
    own = await service.credits_of(work, wallets, keys)
    budgets = await service.budgets_of(work, wallets, keys)
    now = runtime.clock.now()
    return [key_body(key, own.get(key.id), budgets.get(key.id), now) for key in keys]


@router.get("")
async def list_keys(
    request: Request,
    actor: Reader,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> KeysBody:
    """One's own keys, the newest first, revoked ones too."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        keys, following = await service.list_keys(work, actor.user_id, after=cursor, limit=limit)
        items = await key_bodies(runtime, work, keys)
    return KeysBody(items=items, next_cursor=str(following) if following else None)


@router.post("", status_code=201)
async def create_key(request: Request, body: KeyRequest, actor: Maker) -> NewApiKeyBody:
    """Make a key. Its text is in this answer and nowhere else.

    Without `scopes` it may call models and see its credits; `*` is all that you may do. `credits` gives it
    money of its own: from your account, or newly issued when you may adjust credits. A `budget` bounds what
    it spends in each period, from whichever account.
    """
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        key, text = await service.create_key(
            work,
            owner_id=actor.user_id,
            name=body.name,
            scopes=body.scopes,
            expires_at=body.expires_at,
            credits=body.credits,
            wish=wish_of(body),
            wallets=runtime.get(Wallets),
            actor=actor,
            clock=runtime.clock,
        )
        (shown,) = await key_bodies(runtime, work, [key])
    return NewApiKeyBody(key=text, **dict(shown))


@router.patch("/{key_id}")
async def change_key(request: Request, key_id: UUID, body: KeyChange, actor: Prover) -> ApiKeyBody:
    """Rename a key, or change what bounds it. It holds in every process within a second."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        key = await service.change_key(
            work,
            owner_id=actor.user_id,
            key_id=key_id,
            wish=wish_of(body),
            wallets=runtime.get(Wallets),
            actor=actor,
        )
        (shown,) = await key_bodies(runtime, work, [key])
    return shown


@router.post("/{key_id}/rotate", status_code=201)
async def rotate_key(request: Request, key_id: UUID, body: Rotation, actor: Prover) -> NewApiKeyBody:
    """Give a key a new secret, which is in this answer and nowhere else. The old one works for as many days
    as you say, so that programs can be changed one after the other; with none it ends now."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        key, text = await service.rotate_key(
            work,
            owner_id=actor.user_id,
            key_id=key_id,
            overlap=timedelta(days=body.overlap_days),
            actor=actor,
            clock=runtime.clock,
        )
        (shown,) = await key_bodies(runtime, work, [key])
    return NewApiKeyBody(key=text, **dict(shown))


@router.delete("/{key_id}", status_code=204)
async def revoke_key(request: Request, key_id: UUID, actor: Keeper) -> None:
    """End a key at once. What is left of its own credits comes back to you."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        await service.revoke_key(
            work, owner_id=actor.user_id, key_id=key_id, wallets=runtime.get(Wallets), actor=actor
        )
