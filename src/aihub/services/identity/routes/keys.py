"""One's own API keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from aihub.kernel.auth import Actor, requires
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.routes.bodies import KeyRequest, KeysBody, NewKeyBody, key_body
from aihub.services.identity.service import fresh

router = APIRouter(prefix="/api/v1/keys", tags=["identity"])

Reader = Annotated[Actor, requires("keys:read")]
Keeper = Annotated[Actor, requires("keys:manage")]
# A key that may manage keys makes others by itself: never one that can do more, or for longer.
Maker = Annotated[Actor, fresh("keys:manage", keys_too=True)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


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
        own = await service.credits_of(work, runtime.get(Wallets), keys)
    items = [key_body(key, own.get(key.id)) for key in keys]
    return KeysBody(items=items, next_cursor=str(following) if following else None)


@router.post("", status_code=201)
async def create_key(request: Request, body: KeyRequest, actor: Maker) -> NewKeyBody:
    """Make a key. Its text is in this answer and nowhere else.

    Without `scopes` it may call models and see its credits; `*` is all that you may do. `credits` gives it
    money of its own: from your account, or newly issued when you may adjust credits.
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
            wallets=runtime.get(Wallets),
            actor=actor,
            clock=runtime.clock,
        )
        own = await service.credits_of(work, runtime.get(Wallets), [key])
    return NewKeyBody(key=text, **dict(key_body(key, own.get(key.id))))


@router.delete("/{key_id}", status_code=204)
async def revoke_key(request: Request, key_id: UUID, actor: Keeper) -> None:
    """End a key at once. What is left of its own credits comes back to you."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        await service.revoke_key(
            work, owner_id=actor.user_id, key_id=key_id, wallets=runtime.get(Wallets), actor=actor
        )
