"""The shapes of requests and answers about roles, what was given, and why somebody may."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from aihub.services.identity.contracts import Line
from aihub.services.identity.contracts.access import (
    Explanation,
    Reason,
    ReasonKind,
    RoleGrant,
    RoleInfo,
)

RoleName = Annotated[Line, Field(pattern=r"^[a-z][a-z0-9_-]{1,49}$")]
RoleTitle = Annotated[Line, Field(min_length=1, max_length=200)]
PermissionNames = Annotated[list[Annotated[Line, Field(min_length=1, max_length=100)]], Field(max_length=200)]
GrantReason = Annotated[Line, Field(max_length=300)]


class PermissionBody(BaseModel):
    name: str
    title: str
    module: str
    aliases: list[str]
    """Other words for it, in requests, scopes and configuration."""


class PermissionsBody(BaseModel):
    items: list[PermissionBody]


class RoleBody(BaseModel):
    id: UUID
    name: str
    title: str
    built_in: bool
    parent: str | None
    permissions: list[str]
    """All that it allows, with what it inherits."""
    own: list[str]
    """What it allows itself."""
    defaults: list[str]
    """Of a built-in role: what it may allow at most."""
    people: int


class RolesBody(BaseModel):
    items: list[RoleBody]


class NewRole(BaseModel):
    """`name` is for programs and the command line, `title` for people."""

    model_config = ConfigDict(extra="forbid")

    name: RoleName
    title: RoleTitle
    permissions: PermissionNames = []
    parent_id: UUID | None = None


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class RoleChange(BaseModel):
    """What is left out stays; a `parent_id` of null ends inheriting."""

    # The defaults below stand for absent fields only and are never applied.
    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)

    name: RoleName = ""
    title: RoleTitle = ""
    permissions: PermissionNames = []
    parent_id: UUID | None = None


class RoleGrantBody(BaseModel):
    """`expired`: it has ended; it is listed for a while, and allows nothing."""

    user_id: UUID
    email: str
    name: str
    role_id: UUID
    role: str
    title: str
    granted_at: datetime
    granted_by: str | None
    expires_at: datetime | None
    reason: str
    expired: bool


class RoleGrantsBody(BaseModel):
    items: list[RoleGrantBody]


class RolePeopleBody(BaseModel):
    items: list[RoleGrantBody]
    next_cursor: str | None


class NewRoleGrant(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role_id: UUID
    expires_at: AwareDatetime | None = None
    reason: GrantReason = ""


class ReasonBody(BaseModel):
    """`speaks`: for it, against it, or neither (null)."""

    kind: ReasonKind
    speaks: bool | None
    path: list[str]
    role: str | None
    names: list[str]
    granted_by: str | None
    granted_at: datetime | None
    expires_at: datetime | None
    note: str


class ExplanationBody(BaseModel):
    user_id: UUID
    email: str
    permission: str
    title: str
    resource: str | None
    allowed: bool
    reasons: list[ReasonBody]


def role_body(role: RoleInfo) -> RoleBody:
    return RoleBody(
        id=role.id,
        name=role.name,
        title=role.title,
        built_in=role.built_in,
        parent=role.parent,
        permissions=list(role.permissions),
        own=list(role.own),
        defaults=list(role.defaults),
        people=role.people,
    )


def grant_body(grant: RoleGrant) -> RoleGrantBody:
    return RoleGrantBody(
        user_id=grant.user_id,
        email=grant.email,
        name=grant.name,
        role_id=grant.role_id,
        role=grant.role,
        title=grant.title,
        granted_at=grant.granted_at,
        granted_by=grant.granted_by,
        expires_at=grant.expires_at,
        reason=grant.reason,
        expired=grant.expired,
    )


def explanation_body(explanation: Explanation) -> ExplanationBody:
    return ExplanationBody(
        user_id=explanation.user_id,
        email=explanation.email,
        permission=explanation.permission,
        title=explanation.title,
        resource=explanation.resource,
        allowed=explanation.allowed,
        reasons=[_reason(reason) for reason in explanation.reasons],
    )


def _reason(reason: Reason) -> ReasonBody:
    return ReasonBody(
        kind=reason.kind,
        speaks=reason.speaks,
        path=list(reason.path),
        role=reason.role,
        names=list(reason.names),
        granted_by=reason.granted_by,
        granted_at=reason.granted_at,
        expires_at=reason.expires_at,
        note=reason.note,
    )
