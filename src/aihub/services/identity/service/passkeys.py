"""Passkeys: made by a device, checked by it against its person, bound to this hub's address (WebAuthn)."""

import ipaddress
import struct
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from webauthn.helpers import base64url_to_bytes, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.db import Database, Scope, Work, owned_by, system
from aihub.kernel.errors import NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import (
    LastSecondFactor,
    Passkey,
    PasskeyAddress,
    PasskeyNotAdded,
    PasskeyRefused,
    Session,
    User,
)
from aihub.services.identity.domain import CHALLENGE_LIFE, is_local
from aihub.services.identity.queries import factors
from aihub.services.identity.queries.factors import Challenge, Credential
from aihub.services.identity.service.second_factor import ISSUER, second_factor_of
from aihub.services.identity.service.sessions import Caller, begin_session

T = TypeVar("T")
Purpose = Literal["add", "sign-in", "proof"]
_REQUIRED = UserVerificationRequirement.REQUIRED
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "internal", "hybrid", "smart-card"})
# What the library lets through of answers that no browser gives.
_MALFORMED = (WebAuthnException, ValueError, TypeError, LookupError, AttributeError, struct.error)


@dataclass(frozen=True, slots=True)
class Place:
    """The address that passkeys are bound to."""

    rp_id: str
    origin: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What the browser's `navigator.credentials` needs, and the id to send back with its answer."""

    challenge_id: UUID
    options: dict[str, Any]


def place_of(origin: str, host: str, public_url: str | None) -> Place:
    """Where passkeys of a page of `origin` belong: AIHUB_PUBLIC_URL, or this machine by name.

    Raises PasskeyAddress where a browser would not make any, as at an IP address.
    """
    parts = urlsplit(origin)
    name = (parts.hostname or "").rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        ours = urlsplit(public_url).netloc.lower() if public_url else host.lower()
        local = is_local(name) and parts.netloc.lower() == host.lower()
        if name and (local or (parts.netloc.lower() == ours and parts.scheme == "https")):
            return Place(name, f"{parts.scheme}://{parts.netloc}".lower())
    raise PasskeyAddress(f"{parts.netloc or 'This address'} is not an address that passkeys can be bound to.")


async def list_passkeys(work: Work, user_id: UUID) -> list[Passkey]:
    """The user's passkeys, the newest first."""
    return await factors.passkeys(work, user_id)


async def begin_adding(work: Work, user: User, place: Place, clock: Clock) -> Ask:
    """Ask the browser for a new passkey of this user."""
    known = await factors.credentials(work, user.id, place.rp_id)
    options = webauthn.generate_registration_options(
        rp_id=place.rp_id,
        rp_name=ISSUER,
        user_id=user.id.bytes,
        user_name=user.email,
        user_display_name=user.name or user.email,
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=_REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
    )
    challenge_id = await _keep(work, user.id, "add", options.challenge, place, clock)
    return Ask(challenge_id, options_to_json_dict(options))


async def add(
    database: Database, actor: Actor, challenge_id: UUID, answer: Mapping[str, Any], name: str, clock: Clock
) -> Passkey:
    """Keep the passkey that the browser made. Raises PasskeyNotAdded."""
    challenge = await _take(database, challenge_id, actor.user_id, "add", clock)
    if challenge is None:
        raise PasskeyNotAdded("The request for it was answered already, or more than five minutes ago.")
    try:
        made = webauthn.verify_registration_response(
            credential=dict(answer),
            expected_challenge=challenge.challenge,
            expected_rp_id=challenge.rp_id,
            expected_origin=challenge.origin,
            require_user_verification=True,
        )
    except _MALFORMED as exc:
        raise PasskeyNotAdded(f"The browser's answer did not fit: {exc}.") from exc
    now = clock.now()
    async with database.work(actor.scope) as work:
        passkey = await factors.insert_passkey(
            work,
            actor.user_id,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            rp_id=challenge.rp_id,
            name=name,
            synced=made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            transports=_transports(answer),
            now=now,
        )
        if passkey is None:
            raise PasskeyNotAdded("This passkey is known already.")
        if actor.session_id is not None:
            await queries.prove_session(work, actor.session_id, now, second_factor=True)
        await _record(work, actor, "passkey.add", passkey)
    return passkey


async def rename(work: Work, actor: Actor, passkey_id: UUID, name: str) -> Passkey:
    """Raises NotFound for a passkey of somebody else."""
    passkey = await factors.rename_passkey(work, actor.user_id, passkey_id, name)
    if passkey is None:
        raise NotFound("You have no such passkey.")
    await _record(work, actor, "passkey.rename", passkey)
    return passkey


async def remove(work: Work, actor: Actor, passkey_id: UUID, required: Collection[str]) -> None:
    """Forget a passkey: it does not open anything any more. Raises NotFound or LastSecondFactor."""
    await queries.lock_user(work, actor.user_id)
    gone = await factors.delete_passkeys(work, actor.user_id, passkey_id)
    if not gone:
        raise NotFound("You have no such passkey.")
    left = await second_factor_of(work, actor.user_id, required)
    if left.required and not left.any:
        raise LastSecondFactor()
    await _record(work, actor, "passkey.remove", gone[0])


async def ask(work: Work, user_id: UUID | None, place: Place, clock: Clock) -> Ask:
    """Ask the browser to show a passkey: of this user, or without one whichever its person picks."""
    known = await factors.credentials(work, user_id, place.rp_id) if user_id else []
    options = webauthn.generate_authentication_options(
        rp_id=place.rp_id,
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
        allow_credentials=_descriptors(known),
        user_verification=_REQUIRED,
    )
    purpose: Purpose = "proof" if user_id else "sign-in"
    challenge_id = await _keep(work, user_id, purpose, options.challenge, place, clock)
    return Ask(challenge_id, options_to_json_dict(options))


async def sign_in_with_passkey(
    database: Database, challenge_id: UUID, answer: Mapping[str, Any], caller: Caller, clock: Clock
) -> tuple[User, Session, str]:
    """Begin a session for whoever owns the passkey. Raises PasskeyRefused."""

    async def enter(work: Work, credential: Credential) -> tuple[User, Session, str] | None:
        user = await queries.user(work, credential.passkey.owner_id)
        if user is None or not user.active:
            return None
        session, token = await begin_session(work, user, caller, clock, by="passkey", second_factor=True)
        return user, session, token

    return await _with_answer(database, challenge_id, None, answer, clock, enter)


async def prove_with_passkey(
    database: Database, actor: Actor, challenge_id: UUID, answer: Mapping[str, Any], clock: Clock
) -> None:
    """A fresh proof for the actor's session. Raises PasskeyRefused."""

    async def prove(work: Work, credential: Credential) -> bool | None:
        if credential.passkey.owner_id != actor.user_id or actor.session_id is None:
            return None
        await queries.prove_session(work, actor.session_id, clock.now(), second_factor=True)
        return True

    await _with_answer(database, challenge_id, actor.user_id, answer, clock, prove)


async def _with_answer(
    database: Database,
    challenge_id: UUID,
    owner_id: UUID | None,
    answer: Mapping[str, Any],
    clock: Clock,
    act: Callable[[Work, Credential], Awaitable[T | None]],
) -> T:
    """What `act` gives for the passkey that answered the challenge, in one unit of work with its counter."""
    challenge = await _take(database, challenge_id, owner_id, "proof" if owner_id else "sign-in", clock)
    if challenge is None:
        raise PasskeyRefused("The request for it was answered already, or more than five minutes ago.")
    async with database.work(_scope(owner_id)) as work:
        credential = await _credential(work, answer)
        if credential is None:
            raise PasskeyRefused("This hub does not know the passkey; it may have been removed here.")
        count = _verified(challenge, credential, answer)
        if max(count, credential.sign_count) > 0 and count <= credential.sign_count:
            # A copy of the device may be in use. The audit row stays although the passkey is refused.
            await _record(
                work, None, "passkey.counter_regression", credential.passkey,
                {"stored": credential.sign_count, "shown": count},
            )  # fmt: skip
            result = None
        else:
            await factors.used_passkey(work, credential.passkey.id, count, clock.now())
            result = await act(work, credential)
    if result is None:
        raise PasskeyRefused()
    return result


def _verified(challenge: Challenge, credential: Credential, answer: Mapping[str, Any]) -> int:
    """The counter that the device showed with a right signature. Raises PasskeyRefused."""
    try:
        shown = webauthn.verify_authentication_response(
            credential=dict(answer),
            expected_challenge=challenge.challenge,
            expected_rp_id=challenge.rp_id,
            expected_origin=challenge.origin,
            credential_public_key=credential.public_key,
            credential_current_sign_count=0,  # the caller looks at the counter itself, to report it
            require_user_verification=True,
        )
    except _MALFORMED as exc:
        raise PasskeyRefused(f"The browser's answer did not fit: {exc}.") from exc
    return shown.new_sign_count


async def _credential(work: Work, answer: Mapping[str, Any]) -> Credential | None:
    try:
        credential_id = base64url_to_bytes(str(answer.get("rawId", "")))
    except ValueError:
        return None
    return await factors.credential(work, credential_id)


async def _keep(
    work: Work, owner_id: UUID | None, purpose: Purpose, challenge: bytes, place: Place, clock: Clock
) -> UUID:
    now = clock.now()
    await factors.forget_challenges(work, now)
    return await factors.insert_challenge(
        work, owner_id, purpose, challenge, place.rp_id, place.origin, now + CHALLENGE_LIFE
    )


async def _take(
    database: Database, challenge_id: UUID, owner_id: UUID | None, purpose: Purpose, clock: Clock
) -> Challenge | None:
    # In a unit of work of its own: a wrong answer uses the challenge up, too.
    async with database.work(_scope(owner_id)) as work:
        return await factors.take_challenge(work, challenge_id, owner_id, purpose, clock.now())


def _scope(owner_id: UUID | None) -> Scope:
    """Who signs in with a passkey is not known before the passkey is looked up."""
    return owned_by(owner_id) if owner_id else system("sign in with a passkey")


def _descriptors(known: list[Credential]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=each.credential_id) for each in known]


def _transports(answer: Mapping[str, Any]) -> list[str]:
    response = answer.get("response")
    given = response.get("transports") if isinstance(response, dict) else None
    return sorted(_TRANSPORTS.intersection(map(str, given))) if isinstance(given, list) else []


async def _record(
    work: Work,
    actor: Actor | None,
    action: str,
    passkey: Passkey,
    details: Mapping[str, object] | None = None,
) -> None:
    await audit.record(
        work,
        actor=actor,
        action=action,
        target_kind="passkey",
        target_id=str(passkey.id),
        details={"name": passkey.name, "owner": str(passkey.owner_id), **(details or {})},
    )
