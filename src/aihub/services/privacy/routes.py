"""One's own data: what there is, a copy of it, and its end. And the same by administrators."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, requires, signed_in
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.contracts import Line, SessionRequired
from aihub.services.identity.service import fresh, read_session
from aihub.services.privacy import jobs, service
from aihub.services.privacy.contracts import DataExport, Deletion, Holding

router = APIRouter(prefix="/api/v1", tags=["privacy"])
PUBLIC = frozenset(
    {
        "/api/v1/exports/{export_id}",
        "/api/v1/certificates/open",
        "/api/v1/certificates/verify",
        "/api/v1/certificates/key",
    }
)

SignedIn = Annotated[Actor, signed_in()]
Fresh = Annotated[Actor, fresh()]
Deleter = Annotated[Actor, fresh("users:delete")]
Reason = Annotated[Line, Field(min_length=3, max_length=500)]
_MISSING: dict[int | str, dict[str, Any]] = {404: {"description": "There is none, or no longer"}}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The archive",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class HoldingBody(BaseModel):
    """One kind of data. `kept` says why it stays when the account is erased; empty when it goes."""

    name: str
    title: str
    count: int
    kept: str
    anonymous: str


class ExportBody(BaseModel):
    """`rows_done` of `rows_total`; `size` in bytes; the file is deleted at `expires_at`."""

    id: UUID
    status: Literal["waiting", "running", "ready", "failed"]
    rows_done: int
    rows_total: int
    size: int | None
    error: str | None
    by_administrator: bool
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


class ExportsBody(BaseModel):
    items: list[ExportBody]


class DeletionBody(BaseModel):
    """`due_at`: when everything is erased. Until then it can be cancelled, as long as `stage` is waiting."""

    id: UUID
    way: Literal["self", "administrator", "operator"]
    reason: str
    stage: Literal["waiting", "erasing", "done", "cancelled"]
    requested_at: datetime
    due_at: datetime
    ended_at: datetime | None


class PrivacyBody(BaseModel):
    holdings: list[HoldingBody]
    exports: list[ExportBody]
    deletion: DeletionBody | None


class DeletionRequest(BaseModel):
    """`confirmation` is the e-mail address of the account."""

    confirmation: Annotated[Line, Field(max_length=320)]


class ExportOrder(BaseModel):
    """Why: it stands in the audit trail."""

    reason: Reason


class DeletionOrder(BaseModel):
    """`immediately` leaves no grace; then `confirmation` is the e-mail address of the account."""

    reason: Reason
    immediately: bool = False
    confirmation: Annotated[Line, Field(max_length=320)] = ""


class OrderedDeletion(DeletionBody):
    """`user_id` is null once the account is erased."""

    user_id: UUID | None


class DeletionsBody(BaseModel):
    items: list[OrderedDeletion]
    next_cursor: str | None


class CertificateToken(BaseModel):
    """The part after `#token=` of the link in the last letter."""

    token: Annotated[str, Field(min_length=20, max_length=200)]


class CertificateBody(BaseModel):
    certificate: dict[str, Any]


class VerdictBody(BaseModel):
    """`problem` says what is wrong when it is not genuine."""

    genuine: bool
    problem: str | None


class CertificateKeyBody(BaseModel):
    """An Ed25519 key: 32 bytes as base64url. The signed bytes are the certificate without `public_key` and
    `signature`, as JSON without spaces and with sorted keys."""

    algorithm: Literal["Ed25519"]
    public_key: str


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _by_person(actor: Actor) -> Actor:
    if actor.session_id is None:
        raise SessionRequired()
    return actor


@router.get("/me/privacy")
async def read_privacy(request: Request, actor: SignedIn) -> PrivacyBody:
    """What the hub holds about oneself, in words and numbers; exports, and a deletion that waits."""
    runtime = _runtime(request)
    async with runtime.database.work(_by_person(actor).scope) as work:
        user, _ = await read_session(work, actor)
        found = await service.holdings(work, runtime, user)
        exports = await service.list_exports(work, actor.user_id)
        deletion = await service.deletion_of(work, actor.user_id)
    return PrivacyBody(
        holdings=[_holding(h) for h in found],
        exports=[_export(e) for e in exports],
        deletion=_deletion(deletion) if deletion else None,
    )


@router.get("/me/exports")
async def list_exports(request: Request, actor: SignedIn) -> ExportsBody:
    """One's own exports, the newest first."""
    async with _runtime(request).database.work(_by_person(actor).scope) as work:
        return ExportsBody(items=[_export(e) for e in await service.list_exports(work, actor.user_id)])


@router.post("/me/exports", status_code=202)
async def ask_for_export(request: Request, actor: Fresh) -> ExportBody:
    """Have everything about oneself written to a file; a letter says when it is ready. While one is being
    written, that one is given."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        made = await service.ask_for_export(work, runtime, actor.user_id, job=jobs.EXPORT, actor=actor)
    return _export(made)


@router.get("/me/exports/{export_id}/file", response_class=FileResponse, responses=_FILE | _MISSING)
async def download_export(request: Request, export_id: UUID, actor: SignedIn) -> FileResponse:
    """One's own export as a zip archive."""
    runtime = _runtime(request)
    async with runtime.database.work(_by_person(actor).scope) as work:
        path, export = await service.own_export(work, runtime, export_id, actor.user_id)
    return _download(str(path), export)


@router.delete("/me/exports/{export_id}", status_code=204, responses=_MISSING)
async def delete_export(request: Request, export_id: UUID, actor: SignedIn) -> None:
    """Delete one's own export with its file, or stop it."""
    runtime = _runtime(request)
    async with runtime.database.work(_by_person(actor).scope) as work:
        await service.remove_export(work, runtime, export_id, actor)


@router.get("/exports/{export_id}", response_class=FileResponse, responses=_FILE | _MISSING)
async def open_export_link(
    request: Request,
    export_id: UUID,
    expires: Annotated[int, Query(ge=0, le=253_402_300_799)] = 0,
    signature: Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_-]*$")] = "",
) -> FileResponse:
    """The export of a letter's link, for whoever has it. Without the right signature, or past its time,
    there is none."""
    runtime = _runtime(request)
    async with runtime.database.work(system("open an export's link")) as work:
        path, export = await service.export_by_link(work, runtime, export_id, expires, signature)
    return _download(str(path), export)


@router.get("/me/deletion")
async def read_deletion(request: Request, actor: SignedIn) -> DeletionBody | None:
    """The deletion of one's own account that waits, or null."""
    async with _runtime(request).database.work(_by_person(actor).scope) as work:
        found = await service.deletion_of(work, actor.user_id)
    return _deletion(found) if found else None


@router.post("/me/deletion", status_code=202)
async def request_deletion(request: Request, body: DeletionRequest, actor: Fresh) -> DeletionBody:
    """Have one's account erased in seven days. Keys and other sessions end at once."""
    runtime = _runtime(request)
    async with runtime.database.work(system("ask for a deletion")) as work:
        made = await service.request_deletion(work, runtime, actor, body.confirmation, job=jobs.ERASE)
    return _deletion(made)


@router.delete("/me/deletion", status_code=204)
async def keep_account(request: Request, actor: SignedIn) -> None:
    """Keep one's account after all."""
    runtime = _runtime(request)
    _by_person(actor)
    async with runtime.database.work(system("keep an account")) as work:
        await service.cancel_deletion(work, runtime, actor.user_id, actor=actor)


@router.post("/users/{user_id}/exports", status_code=202, responses=_MISSING)
async def order_export(request: Request, user_id: UUID, body: ExportOrder, actor: Deleter) -> ExportBody:
    """Have somebody's data written to a file at their request. The link goes to them, and to nobody else."""
    runtime = _runtime(request)
    async with runtime.database.work(system("export somebody's data")) as work:
        made = await service.ask_for_export(
            work, runtime, user_id, job=jobs.EXPORT, actor=actor, reason=body.reason
        )
    return _export(made)


@router.post("/users/{user_id}/deletion", status_code=202, responses=_MISSING)
async def order_deletion(
    request: Request, user_id: UUID, body: DeletionOrder, actor: Deleter
) -> OrderedDeletion:
    """Have somebody's account erased, in seven days or immediately."""
    runtime = _runtime(request)
    async with runtime.database.work(system("delete somebody's account")) as work:
        made = await service.order_deletion(
            work,
            runtime,
            user_id,
            actor=actor,
            reason=body.reason,
            job=jobs.ERASE,
            immediately=body.immediately,
            confirmation=body.confirmation,
        )
    return _ordered(made)


@router.delete("/users/{user_id}/deletion", status_code=204)
async def cancel_deletion(request: Request, user_id: UUID, actor: Deleter) -> None:
    """Keep somebody's account after all."""
    runtime = _runtime(request)
    async with runtime.database.work(system("keep somebody's account")) as work:
        await service.cancel_deletion(work, runtime, user_id, actor=actor)


@router.get("/deletions", dependencies=[requires("users:delete")])
async def list_deletions(
    request: Request,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeletionsBody:
    """Deletions that were asked for, the newest first."""
    async with _runtime(request).database.work(system("list deletions")) as work:
        found, following = await service.list_deletions(work, cursor, limit)
    return DeletionsBody(
        items=[_ordered(d) for d in found], next_cursor=str(following) if following else None
    )


@router.get(
    "/deletions/{deletion_id}/certificate", dependencies=[requires("users:delete")], responses=_MISSING
)
async def read_certificate(request: Request, deletion_id: UUID) -> CertificateBody:
    """The certificate of a deletion that was carried out. It names nobody."""
    async with _runtime(request).database.work(system("read a certificate")) as work:
        return CertificateBody(certificate=dict(await service.certificate_of(work, deletion_id)))


@router.post("/certificates/open", responses=_MISSING)
async def open_certificate(request: Request, body: CertificateToken) -> CertificateBody:
    """The certificate of a deletion, with the token of the last letter."""
    async with _runtime(request).database.work(system("open a certificate")) as work:
        return CertificateBody(certificate=dict(await service.find_certificate(work, body.token)))


@router.post("/certificates/verify")
async def verify_certificate(request: Request, body: CertificateBody) -> VerdictBody:
    """Whether a certificate is this hub's and unchanged."""
    runtime = _runtime(request)
    async with runtime.database.work(system("verify a certificate")) as work:
        verdict = await service.verify_certificate(work, runtime.get(Crypto), body.certificate)
    return VerdictBody(genuine=verdict.genuine, problem=verdict.problem)


@router.get("/certificates/key")
async def read_certificate_key(request: Request, response: Response) -> CertificateKeyBody:
    """The key that this hub signs certificates of deletion with."""
    runtime = _runtime(request)
    async with runtime.database.work(system("read the key of certificates")) as work:
        return CertificateKeyBody(
            algorithm="Ed25519", public_key=await service.public_key(work, runtime.get(Crypto))
        )


def _download(path: str, export: DataExport) -> FileResponse:
    name = f"your-data-{export.created_at:%Y-%m-%d}.zip"
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, media_type="application/zip", filename=name, headers=headers)


def _holding(holding: Holding) -> HoldingBody:
    return HoldingBody(
        name=holding.name,
        title=holding.title,
        count=holding.count,
        kept=holding.kept,
        anonymous=holding.anonymous,
    )


def _export(export: DataExport) -> ExportBody:
    return ExportBody(
        id=export.id,
        status=export.status,
        rows_done=export.done,
        rows_total=export.total,
        size=export.size,
        error=export.error,
        by_administrator=export.by_administrator,
        created_at=export.created_at,
        finished_at=export.finished_at,
        expires_at=export.expires_at,
    )


def _shared(deletion: Deletion) -> Mapping[str, Any]:
    return {
        "id": deletion.id,
        "way": deletion.way,
        "reason": deletion.reason,
        "stage": deletion.stage,
        "requested_at": deletion.requested_at,
        "due_at": deletion.due_at,
        "ended_at": deletion.ended_at,
    }


def _deletion(deletion: Deletion) -> DeletionBody:
    return DeletionBody(**_shared(deletion))


def _ordered(deletion: Deletion) -> OrderedDeletion:
    return OrderedDeletion(user_id=deletion.owner_id, **_shared(deletion))
