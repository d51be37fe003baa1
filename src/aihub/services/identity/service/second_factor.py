"""Authenticator apps (RFC 6238) and the recovery codes for when the phone is gone."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import pyotp
import segno

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, NotFound
from aihub.kernel.settings import Settings
from aihub.kernel.tokens import token_hash
from aihub.services.identity import queries
from aihub.services.identity.contracts import LastSecondFactor, NoSuchFactor, SecondFactor, Session, WrongCode
from aihub.services.identity.domain import (
    RECOVERY_CODES,
    TOTP_PERIOD,
    TOTP_WINDOW,
    new_recovery_code,
    recovery_code,
    totp_code,
    totp_step,
)
from aihub.services.identity.queries import factors
from aihub.services.identity.queries.federation import has_password
from aihub.services.identity.service.accounts import may_change
from aihub.services.identity.settings import IdentitySettings

ISSUER = "Smart AI Hub"
Restriction = Literal["enrol", "prove"]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: the secret to type, or the picture of `uri` to point it at.

    `picture` is the `d` of an SVG path of dark modules, one unit each, `size` units wide with its margin.
    """

    secret: str
    uri: str
    picture: str
    size: int


def second_factor_roles(settings: Settings) -> frozenset[str]:
    """The roles whose people need a second factor."""
    return frozenset(settings[IdentitySettings].second_factor_roles)


async def second_factor_of(work: Work, user_id: UUID, required: Collection[str]) -> SecondFactor:
    """What the user has to show that it is them. `required`: the roles that need more than a password."""
    access = await queries.access(work, user_id)
    return SecondFactor(
        await has_password(work, user_id),
        await factors.totp_since(work, user_id),
        await factors.recovery_codes_left(work, user_id),
        len(await factors.passkeys(work, user_id)),
        access is not None and not access.roles.isdisjoint(required),
    )


async def restriction_of(work: Work, session: Session, required: Collection[str]) -> Restriction | None:
    """What the person of this session has to do before anything else, if anything.

    `enrol`: they have no second factor yet and their role needs one. `prove`: they have one and did not
    show it.
    """
    if session.second_factor or not required:
        return None
    has = await second_factor_of(work, session.owner_id, required)
    if not has.required:
        return None
    return "prove" if has.any else "enrol"


async def begin_totp(work: Work, crypto: Crypto, actor: Actor) -> Enrolment:
    """A fresh secret for an app. It counts from the first code on; until then an older one does."""
    secret = pyotp.random_base32()
    sealed = await crypto.seal(work, secret.encode(), context=_place(actor.user_id), owner=actor.user_id)
    await factors.begin_totp(work, actor.user_id, sealed)
    uri = pyotp.TOTP(secret, interval=TOTP_PERIOD).provisioning_uri(name=actor.email, issuer_name=ISSUER)
    code = segno.make_qr(uri, error="m")
    margin = 4
    return Enrolment(secret, uri, _path(code, margin), int(code.symbol_size(border=margin)[0]))


async def confirm_totp(work: Work, crypto: Crypto, actor: Actor, code: str, clock: Clock) -> list[str]:
    """The app's first code makes its secret the one that counts. The recovery codes, shown this once.

    Raises NoSuchFactor when none was begun, or WrongCode.
    """
    stored = await factors.totp(work, actor.user_id)
    if stored is None or stored[1] is None:
        raise NoSuchFactor()
    step = await _step_of(work, crypto, actor.user_id, stored[1], code, clock)
    if step is None:
        raise wrong_code()
    now = clock.now()
    await factors.confirm_totp(work, actor.user_id, step, now)
    if actor.session_id is not None:
        await queries.prove_session(work, actor.session_id, now, second_factor=True)
    codes = await _new_codes(work, actor.user_id)
    await _record(work, actor, "totp.enable", actor.user_id, {"recovery_codes": len(codes)})
    return codes


async def check_code(
    work: Work, crypto: Crypto, user_id: UUID, typed: str, clock: Clock
) -> Literal["totp", "recovery"] | None:
    """Which of the user's codes this is, or None. It is used up: the same code does not work again."""
    if (letters := recovery_code(typed)) is not None:
        used = await factors.use_recovery_code(work, user_id, token_hash(letters), clock.now())
        if used:
            left = await factors.recovery_codes_left(work, user_id)
            await _record(work, None, "recovery_code.use", user_id, {"left": left})
        return "recovery" if used else None
    stored = await factors.totp(work, user_id)
    if stored is None or stored[0] is None:
        return None
    step = await _step_of(work, crypto, user_id, stored[0], typed, clock)
    if step is None or not await factors.use_step(work, user_id, step):
        return None
    return "totp"


async def new_recovery_codes(work: Work, actor: Actor) -> list[str]:
    """Ten fresh codes; older ones stop working. Raises NoSuchFactor without an authenticator app."""
    if await factors.totp_since(work, actor.user_id) is None:
        raise NoSuchFactor()
    codes = await _new_codes(work, actor.user_id)
    await _record(work, actor, "recovery_codes.replace", actor.user_id, {"recovery_codes": len(codes)})
    return codes


async def remove_totp(work: Work, actor: Actor, required: Collection[str]) -> None:
    """Forget the app and the recovery codes. Twice is once. Raises LastSecondFactor."""
    await queries.lock_user(work, actor.user_id)
    has = await second_factor_of(work, actor.user_id, required)
    if has.required and has.totp_since is not None and has.passkeys == 0:
        raise LastSecondFactor()
    await factors.replace_recovery_codes(work, actor.user_id, ())
    if await factors.delete_totp(work, actor.user_id):
        await _record(work, actor, "totp.disable", actor.user_id, {})


async def reset_second_factor(work: Work, actor: Actor, user_id: UUID) -> None:
    """Take every passkey, app and recovery code from somebody who lost them, and end their sessions.

    Raises NotFound, or BeyondOwnPermissions for an account that may do more than the actor's.
    """
    if await queries.user(work, user_id) is None:
        raise NotFound("There is no such user.")
    await may_change(work, actor, user_id)
    passkeys = await factors.delete_passkeys(work, user_id)
    totp = await factors.delete_totp(work, user_id)
    await factors.replace_recovery_codes(work, user_id, ())
    ended = await queries.revoke_sessions(work, owner_id=user_id)
    details = {"passkeys": [key.name for key in passkeys], "totp": totp, "sessions_ended": ended}
    await _record(work, actor, "second_factor.reset", user_id, details)


def wrong_code() -> WrongCode:
    return WrongCode(errors=[FieldError("code", "is wrong or has been used", "wrong")])


async def _step_of(
    work: Work, crypto: Crypto, user_id: UUID, sealed: bytes, typed: str, clock: Clock
) -> int | None:
    """The period, of those near enough to now, whose code this is."""
    digits = totp_code(typed)
    secret = (await crypto.open(work, sealed, context=_place(user_id))).decode()
    if digits is None:
        return None
    generator = pyotp.TOTP(secret, interval=TOTP_PERIOD)
    now = totp_step(clock.now())
    near = range(now - TOTP_WINDOW, now + TOTP_WINDOW + 1)
    fitting = [step for step in near if hmac.compare_digest(generator.generate_otp(step), digits)]
    return max(fitting, default=None)


async def _new_codes(work: Work, user_id: UUID) -> list[str]:
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    hashes = [token_hash(recovery_code(code) or "") for code in codes]
    await factors.replace_recovery_codes(work, user_id, hashes)
    return codes


def _path(code: segno.QRCode, margin: int) -> str:
    """Each row's runs of dark modules as strips one unit high."""
    strips = []
    for y, modules in enumerate(code.matrix_iter(border=margin)):
        row, x = list(modules), 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                strips.append(f"M{x} {y}h{end - x}v1h-{end - x}z")
            x = end + 1
    return "".join(strips)


def _place(user_id: UUID) -> str:
    return f"totp:{user_id}"


async def _record(
    work: Work, actor: Actor | None, action: str, user_id: UUID, details: dict[str, object]
) -> None:
    await audit.record(
        work, actor=actor, action=action, target_kind="user", target_id=str(user_id), details=details
    )
