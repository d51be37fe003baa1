"""Whose account it is that a provider vouches for, and letting them in."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from aihub.kernel import audit
from aihub.kernel.clock import Clock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Database, Work, system
from aihub.kernel.limits import Limiter
from aihub.kernel.telemetry.logs import get_logger
from aihub.kernel.tokens import token_hash
from aihub.services.identity import attempts, queries
from aihub.services.identity.contracts import CodeWrong, EmailTaken, Session, User, Wallets
from aihub.services.identity.contracts.federation import (
    AccountInactive,
    AttemptInvalid,
    DomainRefused,
    EmailMissing,
    EmailUnverified,
    Identity,
    IdentityProvider,
    NoAccount,
    ProviderUnknown,
    Step,
    Waiting,
)
from aihub.services.identity.domain import SIGNED_UP, network_of
from aihub.services.identity.queries import factors, federation, links
from aihub.services.identity.service.accounts import create_user
from aihub.services.identity.service.federation.roles import follow_groups
from aihub.services.identity.service.federation.travel import ATTEMPT_LIFE
from aihub.services.identity.service.known_devices import known_device
from aihub.services.identity.service.second_factor import check_code
from aihub.services.identity.service.sessions import Caller, begin_session

log = get_logger("aihub.identity")
_SCOPE = system("sign in with a provider")


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody is in."""

    user: User
    session: Session
    token: str


@dataclass(frozen=True, slots=True)
class Entrance:
    """What every way in needs."""

    database: Database
    crypto: Crypto
    limiter: Limiter
    wallets: Wallets
    clock: Clock

    async def enter(
        self, provider: IdentityProvider, identity: Identity, caller: Caller, *, browser: str, next_path: str
    ) -> Entered | Step:
        """Begin a session for whoever this is, or the step that they have to take first.

        Somebody new gets an account where the provider is set up so. An account that merely has the same
        address is not theirs until they have signed in to it, too (`link`). Raises AccountInactive,
        EmailMissing, EmailUnverified, NoAccount, DomainRefused or ProviderUnknown.
        """
        now = self.clock.now()
        async with self.database.work(_SCOPE) as work:
            provider = await _still(work, provider)
            await federation.lock_subject(work, provider.issuer, identity.subject)
            user = await self._account(work, provider, identity, now)
            if user is None:
                return await self._wait(work, "link", provider, identity, browser, next_path)
            await follow_groups(work, provider, user.id, identity)
            if not identity.strong and await factors.totp_since(work, user.id) is not None:
                return await self._wait(work, "code", provider, identity, browser, next_path, user)
            return await self._begin(work, user, provider.handle, identity, caller)

    async def enter_with_code(self, browser: str, code: str, caller: Caller) -> tuple[Entered, str]:
        """Begin the session that waited for the code of the account, and the page to go on to.

        A wrong code counts as a failed sign-in. Raises AttemptInvalid, CodeWrong or TooManyAttempts.
        """
        hashed = token_hash(browser)
        async with self.database.work(_SCOPE) as work:
            waits = await federation.waiting(work, hashed, self.clock.now(), "code")
            user = await queries.user(work, waits.owner_id) if waits and waits.owner_id else None
        if waits is None or user is None:
            raise AttemptInvalid()
        policy = self.limiter.policy("auth.login")
        attempt = await attempts.admit(
            self.database,
            self.crypto.sign("sign-in attempt", user.email.encode()),
            network_of(caller.ip),
            limit=policy.limit,
            per=timedelta(seconds=policy.per),
            known=known_device(self.crypto, user.email, caller.known),
        )
        try:
            entered = await self._with_code(waits, user, code, caller, attempt)
        except CodeWrong:
            await attempts.failed(self.database, attempt)
            log.warning("auth.code_wrong", network=attempt.network)
            raise
        except BaseException:
            # Neither right nor wrong: the database failed or the caller went away.
            await asyncio.shield(attempts.withdraw(self.database, attempt))
            raise
        return entered, waits.next_path

    async def _with_code(
        self, waits: Waiting, user: User, code: str, caller: Caller, attempt: attempts.Attempt
    ) -> Entered:
        async with self.database.work(_SCOPE) as work:
            provider = await _still(work, await federation.provider(work, waits.provider_id))
            user = await _active(work, user)
            if not await federation.take_waiting(work, waits.id):
                raise AttemptInvalid()
            kind = await check_code(work, self.crypto, user.id, code, self.clock)
            if kind is None:
                raise CodeWrong()  # and what waited goes on waiting
            await attempts.succeeded(work, attempt)
            by = f"{provider.handle} and {kind} code"
            return await self._begin(work, user, by, waits.identity, caller, second_factor=True)

    async def _wait(
        self,
        work: Work,
        step: Step,
        provider: IdentityProvider,
        identity: Identity,
        browser: str,
        next_path: str,
        user: User | None = None,
    ) -> Step:
        await federation.put_waiting(
            work,
            token_hash(browser),
            provider.id,
            step,
            identity,
            owner_id=user.id if user else None,
            next_path=next_path,
            expires_at=self.clock.now() + ATTEMPT_LIFE,
        )
        return step

    async def _account(
        self, work: Work, provider: IdentityProvider, identity: Identity, now: datetime
    ) -> User | None:
        """The account of this person, made if need be; None when one with the same address is in the way."""
        link = await federation.link_of(work, provider.issuer, identity.subject)
        if link is not None:
            user = await _active(work, await queries.user(work, link.owner_id))
            await federation.used_link(work, link.id, identity.claimed_email, now)
            return user
        if identity.claimed_email is None:
            raise EmailMissing()
        if identity.email is None:
            raise EmailUnverified()
        existing = await queries.user_by_email(work, identity.email)
        if existing is not None:
            await _active(work, existing)
            return None
        if not provider.create_accounts:
            raise NoAccount()
        if provider.domains and identity.email.rpartition("@")[2] not in provider.domains:
            raise DomainRefused(f"{provider.name} makes accounts for {', '.join(provider.domains)}.")
        return await self._new(work, provider, identity, identity.email, now)

    async def _new(
        self, work: Work, provider: IdentityProvider, identity: Identity, email: str, now: datetime
    ) -> User | None:
        try:
            user = await create_user(
                work, email=email, password=None, name=identity.name, roles=(SIGNED_UP,), wallets=self.wallets
            )
        except EmailTaken:
            return None  # by somebody who was faster, a moment ago
        await queries.update_user(work, user.id, email_verified_at=now)
        await links.close_invitations_to(work, email)
        await link_account(work, provider, user, identity, now)
        return user

    async def _begin(
        self,
        work: Work,
        user: User,
        by: str,
        identity: Identity,
        caller: Caller,
        *,
        second_factor: bool = False,
    ) -> Entered:
        strong = second_factor or identity.strong
        session, token = await begin_session(work, user, caller, self.clock, by=by, second_factor=strong)
        # Somebody who signed in at the provider this morning has not shown a moment ago that it is them.
        if identity.proved_at is not None and identity.proved_at < self.clock.now() and not second_factor:
            await federation.set_proof(work, session.id, identity.proved_at)
        return Entered(user, session, token)


async def link_account(
    work: Work, provider: IdentityProvider, user: User, identity: Identity, now: datetime
) -> bool:
    """Let this account at the provider sign in to this one. False when it is linked already."""
    link_id = await federation.insert_link(work, user.id, provider.id, provider.issuer, identity, now)
    if link_id is None:
        return False
    await audit.record(
        work,
        actor=None,
        action="sign_in.link",
        target_kind="user",
        target_id=str(user.id),
        details={"provider": provider.handle, "email": identity.claimed_email, "link": str(link_id)},
    )
    return True


async def _still(work: Work, provider: IdentityProvider | None) -> IdentityProvider:
    """The provider as it is now. Raises ProviderUnknown when it is not in use any more."""
    now = await federation.provider(work, provider.id) if provider else None
    if now is None or provider is None or not now.enabled or now.issuer != provider.issuer:
        raise ProviderUnknown()
    return now


async def _active(work: Work, user: User | None) -> User:
    """The account, which nobody deactivates until this work ends. Raises AccountInactive."""
    if user is None or not await queries.lock_user(work, user.id):
        raise AccountInactive()
    now = await queries.user(work, user.id)
    if now is None or not now.active:
        raise AccountInactive()
    return now
