"""Signing in and out for programs, and the keys that verify their access tokens."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, signed_in
from aihub.services.identity import service
from aihub.services.identity.contracts import Line, Post
from aihub.services.identity.contracts.tokens import Tokens
from aihub.services.identity.routes.bodies import Email, Password
from aihub.services.identity.routes.ways import caller_of, runtime_of
from aihub.services.identity.service import Doorkeeper, TokenDesk

router = APIRouter(tags=["identity"])
PUBLIC = frozenset({"POST /api/v1/tokens", "/api/v1/tokens/refresh", "/.well-known/jwks.json"})

Client = Annotated[Line, Field(min_length=1, max_length=100)]
SignedIn = Annotated[Actor, signed_in()]
_JWKS_SECONDS = 300


class TokensRequest(BaseModel):
    """`client` is how the program appears among one's devices. Without `scopes`: all that you may do."""

    email: Email
    password: Password
    code: Annotated[Line, Field(min_length=1, max_length=40)] | None = None
    client: Client = "Program"
    scopes: Annotated[list[Annotated[Line, Field(max_length=100)]], Field(max_length=100)] = []


class RefreshRequest(BaseModel):
    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class TokensBody(BaseModel):
    """`expires_in` counts seconds. `scope` is empty for all that its owner may do."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750
    expires_in: int
    refresh_token: str
    refresh_expires_at: datetime
    scope: str


class KeySetBody(BaseModel):
    keys: list[dict[str, Any]]


@router.post("/api/v1/tokens", status_code=201)
async def get_tokens(request: Request, body: TokensRequest) -> TokensBody:
    """Sign a program in with e-mail address and password: an access token for 15 minutes, a refresh token.

    Whoever has an authenticator app is asked for a code by `auth.code_needed`, and sends all three. Pages in
    a browser use POST /api/v1/session instead: scripts cannot steal its cookie.
    """
    runtime = runtime_of(request)
    tokens = await runtime.get(TokenDesk).sign_in(
        runtime.get(Doorkeeper),
        body.email,
        body.password,
        caller_of(request),
        code=body.code,
        client=body.client,
        scopes=body.scopes,
        post=runtime.get(Post),
    )
    return _body(tokens)


@router.post("/api/v1/tokens/refresh")
async def refresh_tokens(request: Request, body: RefreshRequest) -> TokensBody:
    """The next pair of tokens. The refresh token works once: using it again ends the sign-in."""
    runtime = runtime_of(request)
    return _body(await runtime.get(TokenDesk).refresh(body.refresh_token, runtime.get(Post)))


@router.delete("/api/v1/tokens", status_code=204)
async def end_tokens(request: Request, actor: SignedIn) -> None:
    """Sign the calling program out: its access and refresh tokens stop working."""
    async with runtime_of(request).database.work(actor.scope) as work:
        await service.end_family(work, actor)


@router.get("/.well-known/jwks.json")
async def read_signing_keys(request: Request, response: Response) -> KeySetBody:
    """The public keys that verify access tokens (RFC 7517)."""
    response.headers["Cache-Control"] = f"public, max-age={_JWKS_SECONDS}"
    return KeySetBody(**await runtime_of(request).get(TokenDesk).signer.jwks())


def _body(tokens: Tokens) -> TokensBody:
    return TokensBody(
        access_token=tokens.access,
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh,
        refresh_expires_at=tokens.refresh_expires_at,
        scope=" ".join(tokens.scopes),
    )
