"""Access and refresh tokens: how programs stay signed in.

A program signs in like a person and gets a session of its own, which is the family of its tokens. The access
token is signed and lasts 15 minutes; it counts only while its session does. The refresh token is random, kept
as a hash, and good for one use within 7 days, which gives the next pair. One that is used a second time was
copied: nobody can tell which of the two users is the thief, so the session ends for both.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor, meanings
from aihub.kernel.cache import Cache
from aihub.kernel.clock import Clock
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import FieldError, InvalidRequest
from aihub.kernel.telemetry.logs import get_logger
from aihub.kernel.tokens import new_token, token_hash
from aihub.services.identity import queries
from aihub.services.identity.contracts import (
    Letter,
    Post,
    ScopesBeyondOwn,
    Session,
    SessionEnded,
    SessionRequired,
    User,
)
from aihub.services.identity.contracts.tokens import Claims, RefreshRefused, RefreshReused, Tokens
from aihub.services.identity.domain import ACCESS_LIFE, ALL_SCOPES, FAMILY_LONGEST, REFRESH_LIFE
from aihub.services.identity.models.tokens import RefreshTokenRow
from aihub.services.identity.queries import tokens as families
from aihub.services.identity.service.devices import tell_of_new_device
from aihub.services.identity.service.sessions import Caller, Doorkeeper, begin_session
from aihub.services.identity.service.signing import Signer

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.identity")

TOKEN_SESSION = "token_session"  # noqa: S105 - the name of a fact about an actor
_ENDED = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenDesk:
    """Gives tokens, and says whose they are. One per process."""

    def __init__(self, database: Database, cache: Cache, clock: Clock, signer: Signer) -> None:
        self._database = database
        self._cache = cache
        self._clock = clock
        self.signer = signer

    @classmethod
    async def start(cls, runtime: "Runtime") -> "TokenDesk":
        signer = await Signer.start(runtime)
        return cls(runtime.database, runtime.get(Cache), runtime.clock, signer)

    async def sign_in(
        self,
        door: Doorkeeper,
        email: str,
        password: str,
        caller: Caller,
        *,
        code: str | None,
        client: str,
        scopes: Sequence[str],
        post: Post,
    ) -> Tokens:
        """Begin a family for a program named `client`.

        With `scopes` its tokens may do that much of what their owner may; without, all of it, and what only
        a signed-in person does. Raises SignInFailed, CodeNeeded, CodeWrong, TooManyAttempts,
        InvalidRequest or ScopesBeyondOwn.
        """

        async def begin(work: Work, user: User, by: str, strong: bool) -> Tokens:
            chosen = await _chosen(work, user.id, scopes)
            session, _ = await begin_session(
                work,
                user,
                caller,
                self._clock,
                by=by,
                second_factor=strong,
                client=client,
                life=REFRESH_LIFE,
            )
            await tell_of_new_device(work, user, session, caller, post=post, clock=self._clock)
            return await self._give(work, session, chosen)

        return await door.let_in(email, password, caller, self._clock, code, begin)

    async def refresh(self, text: str, post: Post) -> Tokens:
        """The next pair for a refresh token, which is used up. Of many uses at once one gets it, and all of
        them end the family.

        Raises RefreshRefused or RefreshReused.
        """
        hashed = token_hash(text)
        async with self._database.work(system("refresh a token")) as work:
            now = self._clock.now()
            row = await families.use_refresh(work, hashed, now)
            if row is not None:
                session = await families.prolong(work, row.session_id, now, REFRESH_LIFE, FAMILY_LONGEST)
                access = await queries.access(work, row.owner_id)
                if session is None or access is None or not access.active:
                    raise RefreshRefused()
                return await self._give(work, session, tuple(row.scopes))
            reused = await families.used_refresh(work, hashed)
            if reused is None:
                raise RefreshRefused()
            await self._end_stolen(work, reused, post)
        raise RefreshReused()

    async def session_of(self, text: str) -> tuple[Session, Claims]:
        """The live session of an access token. Raises TokenInvalid, TokenExpired or SessionEnded."""
        claims = await self.signer.read(text)
        session = await self._cache.get(
            "local", f"token:{claims.session_id}", lambda: self._load(claims.session_id)
        )
        if session.owner_id != claims.owner_id or session.expires_at <= self._clock.now():
            raise SessionEnded(headers=_ENDED)
        return session, claims

    async def _load(self, session_id: UUID) -> Session:
        now = self._clock.now()
        async with self._database.work(system("authenticate")) as work:
            session = await families.family(work, session_id, now)
            if session is None:
                raise SessionEnded(headers=_ENDED)
            await queries.touch_session(work, session_id, now)
        return session

    async def _give(self, work: Work, session: Session, scopes: tuple[str, ...]) -> Tokens:
        now = self._clock.now()
        refresh = new_token("ahr_")
        await families.insert_refresh(work, session, token_hash(refresh), scopes, now, session.expires_at)
        access = await self.signer.sign(work, session.owner_id, session.id, scopes)
        return Tokens(access, int(ACCESS_LIFE.total_seconds()), refresh, session.expires_at, scopes)

    async def _end_stolen(self, work: Work, row: RefreshTokenRow, post: Post) -> None:
        """End the family once, however many show its used tokens, and tell its owner."""
        log.warning("auth.token_reused", session=str(row.session_id))
        if not await queries.revoke_sessions(work, session_id=row.session_id):
            return
        user = await queries.user(work, row.owner_id)
        session = await queries.session(work, row.session_id)
        client = session.client if session is not None else None
        await audit.record(
            work,
            actor=None,
            action="token.reuse",
            target_kind="session",
            target_id=str(row.session_id),
            details={"owner": str(row.owner_id), "client": client},
        )
        if user is not None and user.active:
            values = {"client": client or "?", "time": f"{self._clock.now():%Y-%m-%d %H:%M} UTC"}
            await post.send(work, Letter("token_reuse", user.email, user.locale, values, owner=user.id))


async def end_family(work: Work, actor: Actor) -> None:
    """Sign the calling program out: its tokens stop working. Raises SessionRequired for other callers."""
    session_id = actor.facts.get(TOKEN_SESSION)
    if session_id is None:
        raise SessionRequired("Only a program that sends an access token signs itself out here.")
    if await queries.revoke_sessions(work, session_id=session_id):
        await audit.record(
            work, actor=actor, action="session.end", target_kind="session", target_id=str(session_id)
        )


async def _chosen(work: Work, owner_id: UUID, scopes: Sequence[str]) -> tuple[str, ...]:
    """The scopes in their one spelling; none for all. Raises InvalidRequest or ScopesBeyondOwn."""
    if not scopes or ALL_SCOPES in scopes:
        return ()
    wanted = meanings(scopes)
    if unknown := sorted(wanted - await queries.permission_names(work)):
        raise InvalidRequest(errors=[FieldError("scopes", f"unknown: {', '.join(unknown)}", "unknown")])
    access = await queries.access(work, owner_id)
    if missing := sorted(wanted - (access.permissions if access else frozenset())):
        raise ScopesBeyondOwn(f"You lack {', '.join(missing)}.")
    return tuple(sorted(wanted))
