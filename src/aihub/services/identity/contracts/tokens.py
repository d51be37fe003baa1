"""Shapes and errors of access tokens, refresh tokens and the keys that sign."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from aihub.kernel.errors import NotAuthenticated

KeyState = Literal["next", "current", "retired"]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public half of a key pair. `next` waits, `current` signs, `retired` verifies what it signed."""

    kid: str
    state: KeyState
    public: Mapping[str, str]
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says. No `scopes`: all that its owner may do."""

    owner_id: UUID
    session_id: UUID
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a program gets when it signs in and at every refresh. `expires_in` counts seconds."""

    access: str = field(repr=False)
    expires_in: int
    refresh: str = field(repr=False)
    refresh_expires_at: datetime
    scopes: tuple[str, ...]


class TokenInvalid(NotAuthenticated):
    code = "auth.token_invalid"
    title = "This access token is not valid"
    remedy = "Send the access token of POST /api/v1/tokens unchanged, as 'Authorization: Bearer …'."


class TokenExpired(NotAuthenticated):
    code = "auth.token_expired"
    title = "This access token has expired"
    remedy = "Get a new one with your refresh token from POST /api/v1/tokens/refresh."


class RefreshRefused(NotAuthenticated):
    code = "auth.refresh_refused"
    title = "This refresh token is not valid"
    remedy = "It has expired, or its sign-in was ended. Sign in again with POST /api/v1/tokens."


class RefreshReused(NotAuthenticated):
    code = "auth.refresh_reused"
    title = "This refresh token was used before, so its sign-in was ended"
    remedy = (
        "Sign in again, and always use the newest refresh token, from one place at a time. "
        "If it was not your program that used it twice, change your password."
    )
