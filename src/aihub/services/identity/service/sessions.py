"""Signing in and out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import FieldError
from aihub.kernel.limits import Limiter
from aihub.kernel.passwords import hash_password, needs_rehash, verify_password
from aihub.kernel.telemetry.logs import get_logger
from aihub.kernel.tokens import new_token, token_hash
from aihub.services.identity import attempts, queries
from aihub.services.identity.contracts import (
    CodeNeeded,
    CodeWrong,
    Session,
    SessionEnded,
    SignInFailed,
    User,
    WrongPassword,
)
from aihub.services.identity.domain import LONGEST_PASSWORD, SESSION_LONGEST, network_of, normal_email
from aihub.services.identity.queries import factors
from aihub.services.identity.service.accounts import set_password
from aihub.services.identity.service.known_devices import known_device, known_session
from aihub.services.identity.service.new_passwords import new_password
from aihub.services.identity.service.second_factor import check_code, wrong_code

log = get_logger("aihub.identity")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a sign-in comes from, for the limit and for people who look at their sessions."""

    ip: str | None
    user_agent: str | None
    known: str | None = None
    """What the browser keeps since it signed in before, if it did."""


class Doorkeeper:
    """Checks passwords, counting wrong ones per account and per network. One per process."""

    def __init__(self, database: Database, crypto: Crypto, limiter: Limiter) -> None:
        self._database = database
        self._crypto = crypto
        policy = limiter.policy("auth.login")
        self._limit, self._per = policy.limit, timedelta(seconds=policy.per)

    async def check(
        self, email: str, password: str, caller: Caller, session_id: UUID | None = None
    ) -> tuple[User, attempts.Attempt]:
        """The user with this address and password. The caller closes the attempt with `succeeded`.
        `session_id`: somebody who is signed in shows their password again.

        An unknown address, an inactive account and a wrong password cost the same and say the same.
        Raises SignInFailed or TooManyAttempts.
        """
        address, attempt = await self._admit(email, caller, session_id)
        try:
            found = await self._match(address, password)
        except BaseException:
            # Neither right nor wrong: the database failed or the caller went away.
            await asyncio.shield(attempts.withdraw(self._database, attempt))
            raise
        if found is None:
            await attempts.failed(self._database, attempt)
            log.warning("auth.sign_in_failed", network=attempt.network)
            left = attempts.allowance(self._limit, self._per, attempt.left, self._per.total_seconds())
            raise SignInFailed(headers=left.headers())
        user, hashed = found
        return user, replace(attempt, matched=(user.id, hashed))

    async def _admit(
        self, email: str, caller: Caller, session_id: UUID | None = None
    ) -> tuple[str, attempts.Attempt]:
        try:
            address = normal_email(email)
        except ValueError:
            address = email.strip().lower()
        account = self._crypto.sign("sign-in attempt", address.encode())
        known = known_device(self._crypto, address, caller.known)
        if session_id is not None:
            known = known_session(self._crypto, session_id)
        attempt = await attempts.admit(
            self._database, account, network_of(caller.ip), limit=self._limit, per=self._per, known=known
        )
        return address, attempt

    async def _match(self, address: str, password: str) -> tuple[User, str] | None:
        async with self._database.work(system("check a password")) as work:
            found = await queries.password_of(work, address)
        user_id, hashed, active = found or (None, None, False)
        right = await verify_password(hashed, password[: LONGEST_PASSWORD + 1])
        if not right or not active or user_id is None or hashed is None:
            return None
        fresh = await hash_password(password) if needs_rehash(hashed) else None
        async with self._database.work(system("check a password")) as work:
            if fresh is not None and await queries.rehash_password(work, user_id, hashed, fresh):
                hashed = fresh
            user = await queries.user(work, user_id)
        return (user, hashed) if user is not None else None

    async def sign_in(
        self, email: str, password: str, caller: Caller, clock: Clock, code: str | None = None
    ) -> tuple[User, Session, str]:
        """Begin a session: the user, the session and its token, which is new at every sign-in.

        `code` is of the user's authenticator app, or a recovery code. A wrong one counts as a failed
        sign-in. Raises SignInFailed, CodeNeeded, CodeWrong or TooManyAttempts.
        """

        async def begin(work: Work, user: User, by: str, strong: bool) -> tuple[User, Session, str]:
            session, token = await begin_session(work, user, caller, clock, by=by, second_factor=strong)
            return user, session, token

        return await self.let_in(email, password, caller, clock, code, begin)

    async def let_in(
        self,
        email: str,
        password: str,
        caller: Caller,
        clock: Clock,
        code: str | None,
        begin: Callable[[Work, User, str, bool], Awaitable[T]],
    ) -> T:
        """What `begin` makes for whoever has this password (and code), in the unit of work that closes the
        attempt. It gets the user, what they showed, and whether that was more than a password.

        Raises SignInFailed, CodeNeeded, CodeWrong or TooManyAttempts.
        """
        user, attempt = await self.check(email, password, caller)
        try:
            async with self._database.work(system("sign in")) as work:
                by = "password"
                if await factors.totp_since(work, user.id) is not None:
                    by = f"password and {await self._code(work, user, code, clock)} code"
                await attempts.succeeded(work, attempt)
                return await begin(work, user, by, by != "password")
        except CodeWrong:
            await attempts.failed(self._database, attempt)
            log.warning("auth.code_wrong", network=attempt.network)
            raise
        except BaseException:
            # The code has yet to be asked for, the database failed or the caller went away.
            await asyncio.shield(attempts.withdraw(self._database, attempt))
            raise

    async def _code(self, work: Work, user: User, code: str | None, clock: Clock) -> str:
        """Which kind of code this is. Raises CodeNeeded or CodeWrong."""
        if not code:
            raise CodeNeeded()
        kind = await check_code(work, self._crypto, user.id, code, clock)
        if kind is None:
            raise CodeWrong()
        return kind

    async def prove_with_password(self, actor: Actor, password: str, caller: Caller, clock: Clock) -> None:
        """A fresh proof for the actor's session. Raises WrongPassword or TooManyAttempts."""
        try:
            _, attempt = await self.check(actor.email, password, caller, actor.session_id)
        except SignInFailed as exc:
            raise WrongPassword(errors=[FieldError("password", "is wrong", "wrong")]) from exc
        await self._proved(actor, attempt, clock, second_factor=False)

    async def prove_with_code(self, actor: Actor, code: str, caller: Caller, clock: Clock) -> None:
        """A fresh proof for the actor's session. Raises WrongCode or TooManyAttempts."""
        _, attempt = await self._admit(actor.email, caller, actor.session_id)
        try:
            async with self._database.work(actor.scope) as work:
                kind = await check_code(work, self._crypto, actor.user_id, code, clock)
        except BaseException:
            await asyncio.shield(attempts.withdraw(self._database, attempt))
            raise
        if kind is None:
            await attempts.failed(self._database, attempt)
            raise wrong_code()
        await self._proved(actor, attempt, clock, second_factor=True)

    async def _proved(
        self, actor: Actor, attempt: attempts.Attempt, clock: Clock, *, second_factor: bool
    ) -> None:
        async with self._database.work(actor.scope) as work:
            await attempts.succeeded(work, attempt)
            if actor.session_id is not None:
                await queries.prove_session(work, actor.session_id, clock.now(), second_factor=second_factor)

    async def confirm(self, actor: Actor, password: str, caller: Caller) -> User:
        """The actor's account, if this is its password; wrong guesses count as failed sign-ins.

        Raises WrongPassword or TooManyAttempts.
        """
        try:
            user, attempt = await self.check(actor.email, password, caller, actor.session_id)
        except SignInFailed as exc:
            raise WrongPassword(errors=[FieldError("current_password", "is wrong", "wrong")]) from exc
        async with self._database.work(actor.scope) as work:
            await attempts.succeeded(work, attempt)
        return user

    async def change_password(self, actor: Actor, current: str, new: str, caller: Caller) -> None:
        """Replace one's own password and end one's other sessions.

        Wrong guesses at the current one count as failed sign-ins. Raises WrongPassword, WeakPassword or
        TooManyAttempts.
        """
        user = await self.confirm(actor, current, caller)
        password = await new_password(new, "new_password", known=(user.email, user.name))
        async with self._database.work(actor.scope) as work:
            await set_password(work, user.id, password, actor=actor, keep_session=actor.session_id)


async def begin_session(
    work: Work,
    user: User,
    caller: Caller,
    clock: Clock,
    *,
    by: str = "password",
    second_factor: bool = False,
    client: str | None = None,
    life: timedelta = SESSION_LONGEST,
) -> tuple[Session, str]:
    """A new session for this user, and its token. `by`: what they showed, for the audit. `client`: the name
    of the program that signed in, for one that is no browser."""
    now = clock.now()
    token = new_token("ahs_")
    agent = caller.user_agent[:300] if caller.user_agent else None
    session = await queries.insert_session(
        work, user.id, token_hash(token), now, now + life, caller.ip, agent, second_factor, client
    )
    await queries.update_user(work, user.id, last_sign_in_at=now)
    signed_in = Actor(user.id, user.email, frozenset(user.roles), session_id=session.id)
    await audit.record(
        work,
        actor=signed_in,
        action="session.create",
        target_kind="session",
        target_id=str(session.id),
        details={"by": by} | ({"client": client} if client is not None else {}),
    )
    return session, token


async def read_session(work: Work, actor: Actor) -> tuple[User, Session]:
    """The signed-in user and the session. Raises SessionEnded."""
    user = await queries.user(work, actor.user_id)
    session = await queries.session(work, actor.session_id) if actor.session_id else None
    if user is None or session is None:
        raise SessionEnded()
    return user, session


async def sign_out(work: Work, actor: Actor) -> None:
    """End the actor's session. Does nothing for a key."""
    if actor.session_id is None:
        return
    await queries.revoke_sessions(work, session_id=actor.session_id)
    await audit.record(
        work,
        actor=actor,
        action="session.end",
        target_kind="session",
        target_id=str(actor.session_id),
    )


async def end_session_of(work: Work, token: str) -> None:
    """End the session of this token, if it is one; for a browser that signs in anew."""
    session = await queries.session_by_token(work, token_hash(token))
    if session is not None:
        await queries.revoke_sessions(work, session_id=session.id)
