"""The shapes of identity's requests and answers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from aihub.services.identity.contracts import Line, Session, User
from aihub.services.identity.domain import LONGEST_PASSWORD, session_end

Name = Annotated[Line, Field(max_length=200)]
Email = Annotated[Line, Field(min_length=1, max_length=320)]
Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]
RoleNames = Annotated[list[Line], Field(max_length=50)]


class AccountBody(BaseModel):
    """The signed-in user."""

    id: UUID
    email: str
    name: str
    locale: str
    theme: str
    roles: list[str]
    permissions: list[str]
    email_verified: bool
    leaving_at: datetime | None
    """When the account will be erased. Until then it can only be kept after all."""


class SessionBody(BaseModel):
    user: AccountBody
    csrf_token: str
    expires_at: datetime
    second_factor_needed: Literal["enrol", "prove"] | None
    """What has to be done before anything else: add a second factor, or show the one there is."""


class UserBody(BaseModel):
    id: UUID
    email: str
    name: str
    active: bool
    roles: list[str]
    created_at: datetime
    last_sign_in_at: datetime | None
    leaving_at: datetime | None
    """When the account will be erased, if its deletion was asked for."""


class SetupState(BaseModel):
    needed: bool


class SetupRequest(BaseModel):
    token: Annotated[str, Field(min_length=1, max_length=200)]
    email: Email
    name: Name = ""
    password: Password


class SignInRequest(BaseModel):
    email: Email
    password: Password
    code: Annotated[Line, Field(min_length=1, max_length=40)] | None = None


class ProfileChange(BaseModel):
    name: Name | None = None
    locale: Literal["en", "fr"] | None = None
    theme: Literal["system", "light", "dark"] | None = None


class PasswordChange(BaseModel):
    """Without `current_password`: the first password of an account that has none."""

    current_password: Password | None = None
    new_password: Password


class UserRequest(BaseModel):
    email: Email
    name: Name = ""
    password: Password
    roles: RoleNames = []


class UserChange(BaseModel):
    """`revoke_keys`: with a deactivation, also end the account's keys for good."""

    name: Name | None = None
    active: bool | None = None
    revoke_keys: bool = False
    roles: RoleNames | None = None


def account_body(user: User, permissions: frozenset[str]) -> AccountBody:
    return AccountBody(
        id=user.id,
        email=user.email,
        name=user.name,
        locale=user.locale,
        theme=user.theme,
        roles=list(user.roles),
        permissions=sorted(permissions),
        email_verified=user.email_verified_at is not None,
        leaving_at=user.leaving_at,
    )


def session_body(
    user: User,
    permissions: frozenset[str],
    session: Session,
    csrf_token: str,
    restriction: Literal["enrol", "prove"] | None,
) -> SessionBody:
    return SessionBody(
        user=account_body(user, permissions),
        csrf_token=csrf_token,
        expires_at=session.expires_at
        if session.client is not None
        else session_end(session.last_seen_at, session.expires_at),
        second_factor_needed=restriction,
    )


def user_body(user: User) -> UserBody:
    return UserBody(
        id=user.id,
        email=user.email,
        name=user.name,
        active=user.active,
        roles=list(user.roles),
        created_at=user.created_at,
        last_sign_in_at=user.last_sign_in_at,
        leaving_at=user.leaving_at,
    )
