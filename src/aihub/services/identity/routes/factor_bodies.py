"""The shapes of requests and answers about devices, proofs, passkeys and second factors."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from aihub.services.identity.contracts import Device, Line, Passkey, SecondFactor
from aihub.services.identity.routes.bodies import Password

Code = Annotated[Line, Field(min_length=1, max_length=40)]
PasskeyName = Annotated[Line, Field(min_length=1, max_length=100)]


class DeviceBody(BaseModel):
    """A browser somebody is signed in with, or a program: that one has a name as `client`."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
    browser: str | None
    system: str | None
    second_factor: bool
    client: str | None
    current: bool


class DevicesBody(BaseModel):
    items: list[DeviceBody]
    next_cursor: str | None = None


class EndedBody(BaseModel):
    """How many sessions ended."""

    ended: int


class AskBody(BaseModel):
    """`options` is for `navigator.credentials` in the browser, in WebAuthn's JSON form."""

    challenge_id: UUID
    options: dict[str, Any]


class PasskeyAnswer(BaseModel):
    """`credential` is what the browser gave, in WebAuthn's JSON form."""

    challenge_id: UUID
    credential: dict[str, Any]


class NewPasskeyRequest(PasskeyAnswer):
    name: PasskeyName


class PasskeyChange(BaseModel):
    name: PasskeyName


class PasskeyBody(BaseModel):
    id: UUID
    name: str
    host: str
    synced: bool
    created_at: datetime
    last_used_at: datetime | None


class PasskeysBody(BaseModel):
    items: list[PasskeyBody]
    next_cursor: str | None = None


class ProofRequest(BaseModel):
    """One of the three."""

    password: Password | None = None
    code: Code | None = None
    passkey: PasskeyAnswer | None = None

    @model_validator(mode="after")
    def _one(self) -> "ProofRequest":
        if sum(given is not None for given in (self.password, self.code, self.passkey)) != 1:
            raise ValueError("send one of password, code and passkey")
        return self


class SecondFactorBody(BaseModel):
    """`password`: whether the account has one; people who came by a provider or a passkey may not."""

    password: bool
    totp_since: datetime | None
    recovery_codes_left: int
    passkeys: int
    required: bool


class EnrolmentBody(BaseModel):
    """`picture` is the `d` of an SVG path for a QR code that is `size` units wide."""

    secret: str
    uri: str
    picture: str
    size: int


class CodeRequest(BaseModel):
    code: Code


class RecoveryCodesBody(BaseModel):
    """Shown this once."""

    recovery_codes: list[str]


def device_body(device: Device, current: UUID | None) -> DeviceBody:
    return DeviceBody(
        id=device.id,
        created_at=device.created_at,
        last_seen_at=device.last_seen_at,
        expires_at=device.expires_at,
        address=device.address,
        browser=device.browser,
        system=device.system,
        second_factor=device.second_factor,
        client=device.client,
        current=device.id == current,
    )


def passkey_body(passkey: Passkey) -> PasskeyBody:
    return PasskeyBody(
        id=passkey.id,
        name=passkey.name,
        host=passkey.rp_id,
        synced=passkey.synced,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
    )


def second_factor_body(has: SecondFactor) -> SecondFactorBody:
    return SecondFactorBody(
        password=has.password,
        totp_since=has.totp_since,
        recovery_codes_left=has.recovery_codes_left,
        passkeys=has.passkeys,
        required=has.required,
    )
