"""Who may use a restricted model: people and roles, for good or for a time."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import Work, system
from aihub.kernel.errors import NotFound
from aihub.kernel.runtime import Runtime
from aihub.services.gateway import service
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import Line
from aihub.services.identity.contracts.access import ResourceGrant

router = APIRouter(prefix="/api/v1/models/{model_id}", tags=["gateway"])

Sharer = Annotated[Actor, requires("models:share", resource="model_id")]
_RESOURCE = "models"


class ModelGrantBody(BaseModel):
    """A person or a role that may use (`models:use`) or share (`models:share`) the model.

    `expired`: it has ended; it is listed for a while, and allows nothing.
    """

    id: UUID
    permission: str
    user_id: UUID | None
    email: str | None
    name: str | None
    role: str | None
    granted_at: datetime
    granted_by: str | None
    expires_at: datetime | None
    reason: str
    expired: bool


class ModelGrantsBody(BaseModel):
    items: list[ModelGrantBody]


class NewModelGrant(BaseModel):
    """Either the `email` of a person or a `role`."""

    model_config = ConfigDict(extra="forbid")

    permission: Literal["models:use", "models:share"] = "models:use"
    email: Annotated[Line, Field(min_length=1, max_length=320)] | None = None
    role: Annotated[Line, Field(min_length=1, max_length=50)] | None = None
    expires_at: AwareDatetime | None = None
    reason: Annotated[Line, Field(max_length=300)] = ""


@router.get("/grants")
async def list_model_grants(request: Request, model_id: UUID, _actor: Sharer) -> ModelGrantsBody:
    """Who may use or share this model besides those who may use every model."""
    runtime = _runtime(request)
    async with runtime.database.work(system("list who may use a model")) as work:
        await _require_model(work, model_id)
        given = await identity.shared_with(work, _RESOURCE, str(model_id))
    return ModelGrantsBody(items=[_body(grant) for grant in given])


@router.post("/grants", status_code=201)
async def share_model(request: Request, model_id: UUID, body: NewModelGrant, actor: Sharer) -> ModelGrantBody:
    """Let a person or everybody with a role use the model, at once. Giving it again changes until when."""
    runtime = _runtime(request)
    await identity.require_fresh(runtime, actor)
    async with runtime.database.work(system("share a model")) as work:
        await _require_model(work, model_id)
        made = await identity.share(
            work,
            body.permission,
            str(model_id),
            email=body.email,
            role=body.role,
            expires_at=body.expires_at,
            reason=body.reason,
            actor=actor,
            clock=runtime.clock,
        )
    return _body(made)


@router.delete("/grants/{grant_id}", status_code=204)
async def unshare_model(request: Request, model_id: UUID, grant_id: UUID, actor: Sharer) -> None:
    """Take it back, at once."""
    runtime = _runtime(request)
    await identity.require_fresh(runtime, actor)
    async with runtime.database.work(system("take back a model")) as work:
        await identity.unshare(work, _RESOURCE, str(model_id), grant_id, actor=actor, clock=runtime.clock)


async def _require_model(work: Work, model_id: UUID) -> None:
    if await service.find_model(work, str(model_id)) is None:
        raise NotFound("There is no such model.")


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _body(grant: ResourceGrant) -> ModelGrantBody:
    return ModelGrantBody(
        id=grant.id,
        permission=grant.permission,
        user_id=grant.user_id,
        email=grant.email,
        name=grant.name,
        role=grant.role,
        granted_at=grant.granted_at,
        granted_by=grant.granted_by,
        expires_at=grant.expires_at,
        reason=grant.reason,
        expired=grant.expired,
    )
