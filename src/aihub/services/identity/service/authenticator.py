"""Who calls: a browser with its session cookie, or a program with an API key or an access token.

What is known about sessions, keys, tokens and access is kept in this process for a minute at most; every
change, also one made in SQL, is announced by triggers and forgotten at once. Loading it again is what
notes that a session or key was used, so that this costs one write a minute.
"""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Request

from aihub.kernel.auth import Actor
from aihub.kernel.cache import Cache
from aihub.kernel.clock import Clock
from aihub.kernel.config import KernelSettings
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Database, owned_by, system
from aihub.kernel.telemetry import context
from aihub.kernel.tokens import token_hash
from aihub.services.identity import queries
from aihub.services.identity.contracts import (
    Access,
    CsrfFailed,
    ForeignOrigin,
    InsecureAddress,
    SecondFactorNeeded,
    Session,
    SessionEnded,
)
from aihub.services.identity.domain import ALL_SCOPES, is_key, is_local, session_end
from aihub.services.identity.service.access import carried_scopes, scoped
from aihub.services.identity.service.key_passes import KeyPass, invalid_key, load_pass
from aihub.services.identity.service.leaving import LeavingWatch
from aihub.services.identity.service.proof import PROVED_AT
from aihub.services.identity.service.second_factor import restriction_of
from aihub.services.identity.service.tokens import TOKEN_SESSION, TokenDesk
from aihub.services.identity.settings import IdentitySettings

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

COOKIE = "__Host-aihub"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = "local"
_STRONG = "second_factor"
_ALWAYS = frozenset({"/api/v1/session", "/api/v1/session/proof", "/api/v1/session/proof/options"})
# Whoever is about to be erased keeps the account first and adds a second factor then.
_ENROLMENT = ("/api/v1/passkey", "/api/v1/second-factor", "/api/v1/me/deletion")


class IdentityAuthenticator:
    """The kernel's Authenticator. One per process."""

    def __init__(
        self,
        database: Database,
        cache: Cache,
        crypto: Crypto,
        clock: Clock,
        settings: KernelSettings,
        second_factor_roles: Collection[str] = (),
        carried: Mapping[str, frozenset[str]] | None = None,
        tokens: TokenDesk | None = None,
    ) -> None:
        self._database = database
        self._cache = cache
        self._crypto = crypto
        self._clock = clock
        self._leaving = LeavingWatch(database, cache)
        self._origins = frozenset(settings.allowed_origins)
        self.second_factor_roles = frozenset(second_factor_roles)
        self._carried = carried or {}
        self._tokens = tokens
        self._public = urlsplit(settings.base_url()).netloc.lower()

    @classmethod
    async def start(cls, runtime: "Runtime") -> "IdentityAuthenticator":
        return cls(
            runtime.database,
            runtime.get(Cache),
            runtime.get(Crypto),
            runtime.clock,
            runtime.kernel,
            runtime.settings[IdentitySettings].second_factor_roles,
            carried_scopes(permission for module in runtime.modules for permission in module.permissions),
            runtime.get(TokenDesk),
        )

    async def authenticate(self, request: Request) -> Actor | None:
        """The actor, or None without credentials. A key or a token wins over a cookie.

        Raises InvalidKey, KeyElsewhere, TokenInvalid, TokenExpired, SessionEnded, CsrfFailed, ForeignOrigin,
        SecondFactorNeeded or AccountLeaving; a database that cannot be reached is a 503, never a 401.
        """
        header = request.headers.get("authorization")
        if header is not None:
            actor = await self._by_bearer(header)
            if TOKEN_SESSION in actor.facts:
                await self._require_second_factor(request, actor)
        elif token := request.cookies.get(COOKIE):
            actor = await self._by_session(token)
            if request.method not in _SAFE:
                self.require_same_origin(request)
                self._require_csrf(request, actor)
            await self._require_second_factor(request, actor)
        else:
            return None
        await self._leaving.require_staying(request, actor)
        context.actor_id.set(str(actor.user_id))
        return actor

    def csrf_token(self, session_id: UUID) -> str:
        """What the pages of this session send in X-CSRF-Token with everything that changes something."""
        return base64.urlsafe_b64encode(self._crypto.sign("csrf", session_id.bytes)).decode().rstrip("=")

    def require_same_origin(self, request: Request) -> None:
        """Refuse what a page of another site sends. Raises ForeignOrigin."""
        origin = request.headers.get("origin")
        if origin in self._origins:
            return
        site = request.headers.get("sec-fetch-site")
        if site in ("same-origin", "none"):
            return
        if site is not None:
            raise ForeignOrigin()
        if origin is not None:
            netloc = urlsplit(origin).netloc.lower()
            if netloc not in (request.headers.get("host", "").lower(), self._public):
                raise ForeignOrigin()

    def require_cookie_address(self, request: Request) -> None:
        """Tell people at a plain-http address that their browser will drop the session cookie.

        Raises InsecureAddress.
        """
        parts = urlsplit(request.headers.get("origin", ""))
        if parts.scheme == "http" and not is_local(parts.hostname or ""):
            raise InsecureAddress(f"{parts.netloc} is reached over plain http.")

    async def _by_bearer(self, header: str) -> Actor:
        scheme, _, text = header.partition(" ")
        text = text.strip()
        if scheme.lower() == "bearer" and is_key(text):
            return await self._by_key(text)
        if scheme.lower() == "bearer" and text.count(".") == 2 and self._tokens is not None:
            return await self._by_token(self._tokens, text)
        raise invalid_key("The Authorization header holds neither a key nor an access token of this hub.")

    async def _by_token(self, tokens: TokenDesk, text: str) -> Actor:
        session, claims = await tokens.session_of(text)
        access = await self._access(session.owner_id)
        if access is None or not access.active:
            raise SessionEnded(headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        whole = claims.scopes is None
        scopes = (ALL_SCOPES,) if claims.scopes is None else claims.scopes
        permissions, things = scoped(access, scopes, self._carried)
        facts = {PROVED_AT: session.proved_at, _STRONG: session.second_factor, TOKEN_SESSION: session.id}
        # With scopes it was given a part of what its owner may do, and is not its owner: as a key is not.
        return Actor(
            access.user_id,
            access.email,
            access.roles,
            permissions,
            session_id=session.id if whole else None,
            facts=facts,
            things=things,
        )

    async def _by_key(self, text: str) -> Actor:
        hashed = token_hash(text)
        known = await self._cache.get(_POLICY, f"key:{hashed.hex()}", lambda: self._load_key(hashed))
        known.check(self._clock.now())
        key = known.key
        access = await self._access(key.owner_id)
        if access is None or not access.active:
            raise invalid_key("The owner of this key is not active.")
        permissions, things = scoped(access, key.scopes, self._carried)
        return Actor(
            access.user_id,
            access.email,
            access.roles,
            permissions,
            key_id=key.id,
            facts=dict(known.facts),
            things=things,
        )

    async def _by_session(self, token: str) -> Actor:
        hashed = token_hash(token)
        session = await self._cache.get(
            _POLICY, f"session:{hashed.hex()}", lambda: self._load_session(hashed)
        )
        if session_end(session.last_seen_at, session.expires_at) <= self._clock.now():
            raise SessionEnded()
        access = await self._access(session.owner_id)
        if access is None or not access.active:
            raise SessionEnded()
        facts = {PROVED_AT: session.proved_at, _STRONG: session.second_factor}
        return Actor(
            access.user_id,
            access.email,
            access.roles,
            access.permissions,
            session_id=session.id,
            facts=facts,
            things=access.things,
        )

    async def _require_second_factor(self, request: Request, actor: Actor) -> None:
        """Whose role needs a second factor does nothing without one but add or show it.

        Raises SecondFactorNeeded.
        """
        if actor.facts[_STRONG] or self.second_factor_roles.isdisjoint(actor.roles):
            return
        path, safe = request.url.path, request.method in _SAFE
        if path in _ALWAYS or (safe and path.startswith(_ENROLMENT)):
            return
        async with self._database.work(actor.scope) as work:
            session_id = actor.session_id or actor.facts.get(TOKEN_SESSION)
            session = await queries.session(work, session_id) if session_id else None
            if session is None:
                raise SessionEnded()
            restriction = await restriction_of(work, session, self.second_factor_roles)
        if restriction is None or (restriction == "enrol" and path.startswith(_ENROLMENT)):
            return
        raise SecondFactorNeeded()

    async def _access(self, user_id: UUID) -> Access | None:
        async def load() -> Access | None:
            async with self._database.work(owned_by(user_id)) as work:
                return await queries.access(work, user_id, self._clock.now())

        key = f"access:{user_id}"
        access = await self._cache.get(_POLICY, key, load)
        if access is not None and access.until is not None and access.until <= self._clock.now():
            # Something given for a time has ended. Nothing announces the passing of time.
            await self._cache.invalidate(key)
            access = await load()
        return access

    async def _load_key(self, hashed: bytes) -> KeyPass:
        async with self._database.work(system("authenticate")) as work:
            return await load_pass(work, hashed, self._clock.now())

    async def _load_session(self, hashed: bytes) -> Session:
        now = self._clock.now()
        async with self._database.work(system("authenticate")) as work:
            session = await queries.session_by_token(work, hashed)
            if session is None or session_end(session.last_seen_at, session.expires_at) <= now:
                raise SessionEnded()
            await queries.touch_session(work, session.id, now)
        return replace(session, last_seen_at=max(now, session.last_seen_at))

    def _require_csrf(self, request: Request, actor: Actor) -> None:
        given = request.headers.get(CSRF_HEADER, "")
        try:
            signature = base64.urlsafe_b64decode(given.encode() + b"=" * (-len(given) % 4))
        except (binascii.Error, UnicodeEncodeError):
            signature = b""
        if actor.session_id is None or not self._crypto.verify("csrf", actor.session_id.bytes, signature):
            raise CsrfFailed()
