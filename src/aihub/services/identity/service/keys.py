"""API keys: shown once, stored as a hash, never able to do more than their owner."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor, meanings
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, InvalidRequest, NotFound
from aihub.kernel.tokens import token_hash
from aihub.services.identity import queries
from aihub.services.identity.contracts import KeyCredits, KeyOnAllowance, ScopesBeyondOwn, Wallets
from aihub.services.identity.contracts.keys import (
    BoundKeyMakesNone,
    Key,
    KeyBudget,
    KeyGone,
    KeyRotating,
    KeyWish,
)
from aihub.services.identity.domain import ALL_SCOPES, DEFAULT_SCOPES, new_key
from aihub.services.identity.key_bounds import columns_of

_CLOCK = Clock()


async def create_key(
    work: Work,
    *,
    owner_id: UUID,
    name: str,
    wallets: Wallets,
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
    credits: str | None = None,  # noqa: A002 - the word of the domain; the builtin is for the prompt
    wish: KeyWish | None = None,
    actor: Actor | None = None,
    clock: Clock = _CLOCK,
) -> tuple[Key, str]:
    """Make a key and return it with its text, which is never shown again.

    `scopes`: none for the usual ones of a program that calls models, `*` for all that the owner may do
    at any time. `credits` (decimal string) gives the key money of its own: newly issued by an operator
    (`actor` None) or somebody with `credits:adjust`, else taken from the owner's account. `wish` bounds it
    further: models, networks, limits, a budget.

    A key that makes a key passes on no more than it has: not a longer life, and nothing at all when it may
    spend only credits of its own or is bound itself.

    Raises InvalidRequest, ScopesBeyondOwn, KeyOnAllowance, BoundKeyMakesNone, or a 402 when the owner has too
    few credits.
    """
    wish = wish or {}
    bounds = columns_of(wish)
    if expires_at is not None and expires_at <= clock.now():
        raise InvalidRequest(errors=[FieldError("expires_at", "must be in the future")])
    if actor is not None and actor.key_id is not None:
        expires_at = await _within_its_maker(work, actor.key_id, owner_id, expires_at, wallets)
    chosen = await _scopes(work, owner_id, scopes, actor)
    text, shown = new_key()
    key = await queries.insert_key(work, owner_id, name, shown, token_hash(text), chosen, expires_at, bounds)
    if credits is not None:
        issued = actor is None or actor.may("credits:adjust")
        await wallets.open_key(
            work, key_id=key.id, owner_id=owner_id, name=name, amount=credits, issued=issued
        )
    await _set_budget(work, key, wish, wallets)
    await audit.record(
        work,
        actor=actor,
        action="key.create",
        target_kind="key",
        target_id=str(key.id),
        details={
            "name": name,
            "prefix": shown,
            "owner": str(owner_id),
            "scopes": chosen,
            "expires_at": expires_at,
            "credits": credits,
            **_said(wish),
        },
    )
    return key, text


async def change_key(
    work: Work, *, owner_id: UUID, key_id: UUID, wish: KeyWish, wallets: Wallets, actor: Actor | None
) -> Key:
    """Give a key another name or other bounds. What the wish does not name stays.

    Raises NotFound for a key of somebody else, KeyGone for a revoked one, InvalidRequest.
    """
    before = await _own(work, owner_id, key_id)
    values = columns_of(wish)
    if "name" in wish:
        values["name"] = wish["name"]
    # A change of the budget alone still finds out whether the key lives.
    key = await queries.change_key(work, owner_id, key_id, values or {"name": before.name})
    if key is None:
        raise KeyGone()
    budgets = await wallets.key_budgets(work, [key_id])
    await _set_budget(work, key, wish, wallets)
    await audit.record(
        work,
        actor=actor,
        action="key.update",
        target_kind="key",
        target_id=str(key_id),
        details={
            "name": key.name,
            "prefix": key.prefix,
            "before": {name: _was(before, budgets.get(key_id), name) for name in wish},
            "after": _said(wish),
        },
    )
    return key


async def rotate_key(
    work: Work,
    *,
    owner_id: UUID,
    key_id: UUID,
    overlap: timedelta,
    actor: Actor | None,
    clock: Clock = _CLOCK,
) -> tuple[Key, str]:
    """Give a key another secret and return it, once. The present one works for `overlap` more.

    Of two rotations at once one succeeds. Without an overlap every earlier secret ends now.

    Raises NotFound for a key of somebody else, KeyGone for one that has ended, KeyRotating while an earlier
    overlap still runs, or when somebody else rotated it at this moment.
    """
    now = clock.now()
    before = await _own(work, owner_id, key_id)
    if before.revoked_at is not None or (before.expires_at is not None and before.expires_at <= now):
        raise KeyGone()
    if overlap and before.previous_until is not None and before.previous_until > now:
        raise KeyRotating(
            f"The secret {before.previous_prefix}… works until {before.previous_until:%Y-%m-%d %H:%M}Z."
        )
    text, shown = new_key()
    key = await queries.rotate_key(work, before, shown, token_hash(text), now, overlap)
    if key is None:
        raise KeyRotating(
            "Somebody else changed this key at the same moment.", remedy="Look at the key again."
        )
    await audit.record(
        work,
        actor=actor,
        action="key.rotate",
        target_kind="key",
        target_id=str(key_id),
        details={
            "name": key.name,
            "prefix": shown,
            "previous": before.prefix,
            "previous_until": key.previous_until,
        },
    )
    return key, text


async def list_keys(
    work: Work, owner_id: UUID, *, after: UUID | None = None, limit: int = 50
) -> tuple[list[Key], UUID | None]:
    """A page of the owner's keys, the newest first, and where the next page begins."""
    rows = await queries.keys(work, owner_id, after, limit + 1)
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def credits_of(work: Work, wallets: Wallets, keys: Sequence[Key]) -> Mapping[UUID, KeyCredits]:
    """The money of those keys that have their own."""
    return await wallets.key_credits(work, [key.id for key in keys])


async def budgets_of(work: Work, wallets: Wallets, keys: Sequence[Key]) -> Mapping[UUID, KeyBudget]:
    """The budgets of those keys that have one."""
    return await wallets.key_budgets(work, [key.id for key in keys])


async def revoke_key(
    work: Work, *, owner_id: UUID, key_id: UUID, wallets: Wallets, actor: Actor | None
) -> None:
    """End a key at once; what is left of its own credits goes to its owner. Twice is once.

    Raises NotFound for a key of somebody else.
    """
    key = await _own(work, owner_id, key_id)
    if not await queries.revoke_key(work, key_id):
        return
    await wallets.close_key(work, key_id)
    await audit.record(
        work,
        actor=actor,
        action="key.revoke",
        target_kind="key",
        target_id=str(key_id),
        details={"name": key.name, "prefix": key.prefix},
    )


async def revoke_all(work: Work, owner_id: UUID, *, wallets: Wallets, actor: Actor | None) -> int:
    """End every key of this person; how many."""
    ids = await queries.live_keys(work, owner_id)
    for key_id in ids:
        await revoke_key(work, owner_id=owner_id, key_id=key_id, wallets=wallets, actor=actor)
    return len(ids)


async def _own(work: Work, owner_id: UUID, key_id: UUID) -> Key:
    key = await queries.key(work, owner_id, key_id)
    if key is None:
        raise NotFound("There is no such key.")
    return key


async def _set_budget(work: Work, key: Key, wish: KeyWish, wallets: Wallets) -> None:
    if "budget" not in wish:
        return
    amount, period = wish["budget"] or (None, "month")
    await wallets.set_budget(work, key_id=key.id, owner_id=key.owner_id, amount=amount, period=period)


def _said(wish: KeyWish) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in wish.items()}


def _was(key: Key, budget: KeyBudget | None, name: str) -> object:
    """What a field of a wish was before."""
    if name == "budget":
        return [budget.amount, budget.period] if budget else None
    if name in ("name", "networks"):
        return getattr(key, name)
    value = getattr(key.limits, name)
    return sorted(value) if isinstance(value, frozenset) else value


async def _within_its_maker(
    work: Work, maker_id: UUID, owner_id: UUID, expires_at: datetime | None, wallets: Wallets
) -> datetime | None:
    """When a key that this key makes ends: with it, unless it is to end earlier.

    Raises InvalidRequest for a later end, KeyOnAllowance, BoundKeyMakesNone.
    """
    if maker_id in await wallets.key_credits(work, [maker_id]):
        raise KeyOnAllowance()
    maker = await queries.key(work, owner_id, maker_id)
    if maker is not None and (
        maker.limits.any or maker.networks or maker_id in await wallets.key_budgets(work, [maker_id])
    ):
        raise BoundKeyMakesNone()
    latest = maker.expires_at if maker is not None else None
    if latest is None or (expires_at is not None and expires_at <= latest):
        return expires_at
    if expires_at is not None:
        raise InvalidRequest(errors=[FieldError("expires_at", "must not be after this key's own end")])
    return latest


async def _scopes(work: Work, owner_id: UUID, asked: Sequence[str], actor: Actor | None) -> list[str]:
    """The scopes to store. Raises InvalidRequest for unknown ones, ScopesBeyondOwn for too many."""
    owner = await queries.access(work, owner_id)
    if owner is None:
        raise NotFound("There is no such user.")
    allowed = actor.permissions if actor is not None else owner.permissions
    if not asked:
        chosen = [scope for scope in DEFAULT_SCOPES if scope in allowed]
        if not chosen:
            raise ScopesBeyondOwn(f"You have none of the usual permissions: {', '.join(DEFAULT_SCOPES)}.")
        return chosen
    names = sorted(meanings(asked))
    if ALL_SCOPES in names:
        # A key cannot make one that would grow beyond itself.
        return [ALL_SCOPES] if actor is None or actor.key_id is None else sorted(allowed)
    if unknown := sorted(set(names) - await queries.permission_names(work)):
        raise InvalidRequest(errors=[FieldError("scopes", f"unknown: {', '.join(unknown)}", "unknown")])
    if missing := sorted(set(names) - allowed):
        raise ScopesBeyondOwn(f"You lack {', '.join(missing)}.")
    return names
