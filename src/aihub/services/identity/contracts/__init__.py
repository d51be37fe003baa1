"""What may leave identity: shapes, errors, and what identity asks of whoever keeps money."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator

from aihub.kernel.db import Work
from aihub.kernel.errors import Conflict, Forbidden, InvalidRequest, NotAuthenticated, TooManyRequests
from aihub.services.identity.contracts.access import Access as Access
from aihub.services.identity.contracts.access import RoleInfo as RoleInfo
from aihub.services.identity.contracts.keys import BudgetPeriod, KeyBudget, Spending
from aihub.services.identity.contracts.keys import Key as Key


def _one_line(text: str) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
        raise ValueError("must be one line without control characters")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
"""Text of a request that people read on one line: normalised, without control characters."""


@dataclass(frozen=True, slots=True)
class User:
    """An account as administrators see it."""

    id: UUID
    email: str
    name: str
    active: bool
    locale: str
    theme: str
    roles: tuple[str, ...]
    created_at: datetime
    last_sign_in_at: datetime | None
    email_verified_at: datetime | None = None
    leaving_at: datetime | None = None
    """When the account will be erased, if its deletion was asked for."""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session, or the family of a program's tokens. It ends at `expires_at`; a browser's ends
    earlier after a day without use."""

    id: UUID
    owner_id: UUID
    expires_at: datetime
    last_seen_at: datetime
    proved_at: datetime | None = None
    """When its person last showed that it is still them."""
    second_factor: bool = False
    """Whether more than a password was shown."""
    client: str | None = None
    """The name of the program that signed in; None is a browser."""


@dataclass(frozen=True, slots=True)
class Device:
    """A live session as its owner recognises it. `client`: the name of a program that is no browser."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
    browser: str | None
    system: str | None
    second_factor: bool
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey without its public key. `synced`: kept by an account of the maker, not by one device."""

    id: UUID
    owner_id: UUID
    name: str
    rp_id: str
    synced: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What a person can show. `required`: one of their roles asks for more than a password."""

    password: bool
    totp_since: datetime | None
    recovery_codes_left: int
    passkeys: int
    required: bool

    @property
    def any(self) -> bool:
        return self.totp_since is not None or self.passkeys > 0


@dataclass(frozen=True, slots=True)
class KeyCredits:
    """A key's own money, as decimal strings of credits."""

    balance: str
    available: str


class Wallets:
    """What identity asks of whoever keeps money. Amounts are decimal strings of credits.

    This one is for a hub where nobody does.
    """

    async def open_user(self, work: Work, user_id: UUID) -> None:
        """A user was created: open their account with what newcomers get."""

    async def open_key(
        self, work: Work, *, key_id: UUID, owner_id: UUID, name: str, amount: str, issued: bool
    ) -> None:
        """A key gets money of its own: newly issued, or taken from its owner's account.

        Raises InvalidRequest for an amount that is not one, and a 402 when the owner has too little.
        """
        raise InvalidRequest("Keys have no credits of their own here.")

    async def close_key(self, work: Work, key_id: UUID) -> None:
        """A key was revoked: what is left of its own money goes to its owner."""

    async def key_credits(self, work: Work, key_ids: Sequence[UUID]) -> Mapping[UUID, KeyCredits]:
        """The money of those keys that have their own."""
        return {}

    async def set_budget(
        self, work: Work, *, key_id: UUID, owner_id: UUID, amount: str | None, period: BudgetPeriod
    ) -> None:
        """Bound what a key may spend in each period, from whichever account; None: no bound any more.

        Raises InvalidRequest for an amount that is not one.
        """
        if amount is not None:
            raise InvalidRequest("Keys have no budgets here.")

    async def key_budgets(self, work: Work, key_ids: Sequence[UUID]) -> Mapping[UUID, KeyBudget]:
        """The budgets of those keys that have one."""
        return {}

    async def spending(
        self, work: Work, user_ids: Sequence[UUID], since: datetime
    ) -> Mapping[UUID, Spending]:
        """The money of these people, and what they spent since then: one statement for all of them."""
        return {}


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to a person. `kind` names what it says, `path` is the page of the hub that its button
    opens, with a secret after `#`; past `expires_at` it is of no use. A `fleeting` one leaves no trace
    once it is delivered or of no use. `file` is the name and the text of what is attached."""

    kind: str
    to: str
    locale: str
    values: Mapping[str, str]
    path: str | None = None
    owner: UUID | None = None
    expires_at: datetime | None = None
    fleeting: bool = False
    file: tuple[str, str] | None = None


class Post:
    """What identity asks of whoever delivers letters. This one is for a hub that writes to nobody."""

    async def send(self, work: Work, letter: Letter) -> None:
        """Store the letter with what the caller's work does; it is delivered afterwards."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that nobody has accepted yet."""

    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    locale: str
    created_at: datetime
    expires_at: datetime
    created_by: UUID | None
    invited_by: str | None


class LinkInvalid(Forbidden):
    code = "links.invalid"
    security_event = ("link.refused", "warning")
    title = "This link does not work"
    remedy = "A link works once and for a limited time; the newest one counts. Ask for a new one."


class SignInFailed(NotAuthenticated):
    code = "auth.sign_in_failed"
    security_event = ("sign_in.failed", "warning")
    title = "The e-mail address or the password is wrong"
    remedy = "Check both. If you do not remember the password, ask an administrator for a new one."


class CodeNeeded(NotAuthenticated):
    code = "auth.code_needed"
    title = "A code from your authenticator app is needed too"
    remedy = "Send the same request again with `code`: the six digits, or one of your recovery codes."


class CodeWrong(NotAuthenticated):
    code = "auth.code_wrong"
    security_event = ("sign_in.failed", "warning")
    title = "This code is wrong or has been used"
    remedy = "Wait for the next six digits and type those, or use a recovery code that you have not used yet."


class TooManyAttempts(TooManyRequests):
    code = "auth.too_many_attempts"
    security_event = ("sign_in.locked", "critical")
    title = "Too many failed sign-ins"
    remedy = "Wait for the seconds in the Retry-After header, then try again."


class InvalidKey(NotAuthenticated):
    code = "auth.key_invalid"
    security_event = ("key.refused", "warning")
    title = "This API key is not valid"
    remedy = "Send a key that is neither expired nor revoked, as 'Authorization: Bearer ahk_…'."


class SessionEnded(NotAuthenticated):
    code = "auth.session_ended"
    title = "Your session has ended"
    remedy = "Sign in again."


class CsrfFailed(Forbidden):
    code = "auth.csrf"
    security_event = ("csrf.refused", "warning")
    title = "The request does not prove that it comes from the hub's own pages"
    remedy = "Send the csrf_token of GET /api/v1/session in the X-CSRF-Token header; reload the page."


class ForeignOrigin(Forbidden):
    code = "auth.foreign_origin"
    security_event = ("origin.refused", "warning")
    title = "Another web site may not do this"
    remedy = "Use the hub's own pages, or add the site's origin to ALLOWED_ORIGINS."


class InsecureAddress(Forbidden):
    code = "auth.insecure_address"
    title = "A browser cannot stay signed in at this address"
    remedy = "Open the hub over https://, or on its own machine as http://127.0.0.1 or http://localhost."


class SessionRequired(Forbidden):
    code = "auth.session_required"
    title = "This can only be done when signed in with a password"
    remedy = "Sign in through POST /api/v1/session or on the sign-in page; an API key is not enough."


class FreshProofNeeded(Forbidden):
    code = "auth.fresh_proof_needed"
    title = "Show first that it is still you"
    remedy = "Send your password, a passkey or a code to POST /api/v1/session/proof, then repeat the request."


class SecondFactorNeeded(Forbidden):
    code = "auth.second_factor_needed"
    title = "Your role needs a second factor"
    remedy = "Add a passkey or an authenticator app on the page Security, or show the one that you have."


class LastSecondFactor(Conflict):
    code = "auth.last_second_factor"
    title = "Your role needs a second factor, and this is your last"
    remedy = "Add another one first."


class NoSuchFactor(Conflict):
    code = "auth.no_second_factor"
    title = "There is no authenticator app to go on with"
    remedy = "Begin with POST /api/v1/second-factor/totp."


class WrongCode(InvalidRequest):
    code = "auth.wrong_code"
    security_event = ("proof.failed", "warning")
    title = "This code is wrong or has been used"
    remedy = "Check the clock of your phone, wait for the next six digits and type those."


class PasskeyRefused(NotAuthenticated):
    code = "auth.passkey_refused"
    security_event = ("sign_in.failed", "warning")
    title = "This passkey could not be accepted"
    remedy = "Try once more; if it stays so, sign in with your password and remove the passkey."


class PasskeyNotAdded(InvalidRequest):
    code = "auth.passkey_not_added"
    title = "The passkey could not be added"
    remedy = "Try once more, and let the device check that it is you."


class PasskeyAddress(Conflict):
    code = "auth.passkey_address"
    title = "Passkeys do not work at this address"
    remedy = (
        "Open the hub by its name: http://localhost with its port on its own machine, or AIHUB_PUBLIC_URL."
    )


class WrongPassword(InvalidRequest):
    code = "auth.wrong_password"
    security_event = ("proof.failed", "warning")
    title = "The current password is wrong"
    remedy = "Type the password you signed in with."


class WeakPassword(InvalidRequest):
    code = "auth.weak_password"
    title = "This password is too easy to guess"
    remedy = "Take a few unrelated words, or let a password manager make one."


class SetupDone(Conflict):
    code = "setup.done"
    title = "This hub has been set up already"
    remedy = "Sign in, or ask an administrator for an account."


class SetupLinkInvalid(Forbidden):
    code = "setup.link_invalid"
    security_event = ("link.refused", "warning")
    title = "This setup link is not valid"
    remedy = "Use the newest link on the console; a restart of the hub prints a new one."


class EmailTaken(Conflict):
    code = "users.email_taken"
    title = "There is already an account with this e-mail address"
    remedy = "Use another address, or change the existing account."


class OwnAccount(Conflict):
    code = "users.own_account"
    title = "You cannot deactivate your own account"
    remedy = "Leave yourself out, or ask another administrator."


class LastAdministrator(Conflict):
    code = "users.last_administrator"
    title = "The hub would be left without an active super_admin"
    remedy = "Make somebody else super_admin first."


class BeyondOwnPermissions(Forbidden):
    code = "roles.beyond_own"
    security_event = ("privilege.refused", "warning")
    title = "You cannot give or take what you may not do yourself"
    remedy = "Ask somebody who has the permissions named in the detail."


class KeyOnAllowance(Forbidden):
    code = "keys.on_allowance"
    title = "A key with credits of its own cannot make keys"
    remedy = "Sign in to make a key, or use a key that spends from your account."


class ScopesBeyondOwn(Forbidden):
    code = "keys.scopes_beyond_own"
    security_event = ("privilege.refused", "warning")
    title = "A key cannot do more than you may do yourself"
    remedy = "Leave out the scopes named in the detail."
