"""The shapes of requests and answers about API keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from aihub.services.identity.contracts import KeyCredits, Line
from aihub.services.identity.contracts.keys import BudgetPeriod, Key, KeyBudget, KeyWish
from aihub.services.identity.key_bounds import (
    LARGEST_PARALLEL,
    LARGEST_RATE,
    LONGEST_OVERLAP_DAYS,
    MOST_MODELS,
    MOST_NETWORKS,
)

KeyName = Annotated[Line, Field(min_length=1, max_length=100)]
Models = Annotated[list[Annotated[Line, Field(min_length=1, max_length=128)]], Field(max_length=MOST_MODELS)]
Networks = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=50)]], Field(max_length=MOST_NETWORKS)
]
Rate = Annotated[int, Field(ge=1, le=LARGEST_RATE)]
Parallel = Annotated[int, Field(ge=1, le=LARGEST_PARALLEL)]


class KeyCreditsBody(BaseModel):
    balance: str
    available: str


class BudgetRequest(BaseModel):
    """What a key may spend at most in each period (UTC); `total` never begins anew."""

    amount: Annotated[Line, Field(max_length=30)]
    period: BudgetPeriod = "month"


class KeyBudgetBody(BaseModel):
    """`held` is reserved by calls that run; `resets_at` is when `spent` begins anew."""

    amount: str
    period: BudgetPeriod
    spent: str
    held: str
    resets_at: datetime | None


class ApiKeyBody(BaseModel):
    """A key without its secret. Empty lists and nulls bound nothing."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    models: list[str]
    networks: list[str]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_requests: int | None
    budget: KeyBudgetBody | None
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    rotated_at: datetime | None
    previous_prefix: str | None
    previous_until: datetime | None
    """Until then the secret before the last rotation works too."""
    credits: KeyCreditsBody | None


class NewApiKeyBody(ApiKeyBody):
    """A key with its text, which is shown this once."""

    key: str


class KeysBody(BaseModel):
    items: list[ApiKeyBody]
    next_cursor: str | None


class KeyRequest(BaseModel):
    """`models`: names or aliases of the only models it may use. `networks`: the only places it may be used
    from, as CIDR. Nothing there bounds nothing."""

    name: KeyName
    scopes: Annotated[list[Line], Field(max_length=100)] = []
    expires_at: AwareDatetime | None = None
    credits: Annotated[Line, Field(max_length=30)] | None = None
    models: Models = []
    networks: Networks = []
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    parallel_requests: Parallel | None = None
    budget: BudgetRequest | None = None


class KeyChange(BaseModel):
    """Fields that are left out stay; null and an empty list take a bound away."""

    name: KeyName | None = None
    models: Models | None = None
    networks: Networks | None = None
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    parallel_requests: Parallel | None = None
    budget: BudgetRequest | None = None


class Rotation(BaseModel):
    """For so many days the secret that the key has now works beside the new one."""

    overlap_days: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_DAYS)] = 1


def wish_of(body: KeyRequest | KeyChange) -> KeyWish:
    """What a request says about a key's bounds, and nothing about what it leaves out."""
    given, wish = body.model_fields_set, KeyWish()
    if isinstance(body, KeyChange) and body.name is not None:
        wish["name"] = body.name
    if "models" in given:
        wish["models"] = body.models or []
    if "networks" in given:
        wish["networks"] = body.networks or []
    if "requests_per_minute" in given:
        wish["requests_per_minute"] = body.requests_per_minute
    if "tokens_per_minute" in given:
        wish["tokens_per_minute"] = body.tokens_per_minute
    if "parallel_requests" in given:
        wish["parallel_requests"] = body.parallel_requests
    if "budget" in given:
        wish["budget"] = (body.budget.amount, body.budget.period) if body.budget else None
    return wish


def key_body(key: Key, own: KeyCredits | None, budget: KeyBudget | None, now: datetime) -> ApiKeyBody:
    overlapping = key.previous_until is not None and key.previous_until > now and key.revoked_at is None
    return ApiKeyBody(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=list(key.scopes),
        models=sorted(key.limits.models),
        networks=list(key.networks),
        requests_per_minute=key.limits.requests_per_minute,
        tokens_per_minute=key.limits.tokens_per_minute,
        parallel_requests=key.limits.parallel_requests,
        budget=KeyBudgetBody(
            amount=budget.amount,
            period=budget.period,
            spent=budget.spent,
            held=budget.held,
            resets_at=budget.resets_at,
        )
        if budget
        else None,
        expires_at=key.expires_at,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
        rotated_at=key.rotated_at,
        previous_prefix=key.previous_prefix if overlapping else None,
        previous_until=key.previous_until if overlapping else None,
        credits=KeyCreditsBody(balance=own.balance, available=own.available) if own else None,
    )
