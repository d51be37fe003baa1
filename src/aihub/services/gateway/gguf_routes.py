"""Administration of the GGUF files on this machine over HTTP: which are there, and which one runs."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from aihub.kernel import audit
from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import Work, system
from aihub.kernel.errors import Conflict, InvalidRequest, NotFound
from aihub.kernel.runtime import Runtime
from aihub.services.gateway import gguf_files, own_models, queries
from aihub.services.gateway.adapters.embedded import choice
from aihub.services.gateway.adapters.embedded.errors import ModelUnavailable
from aihub.services.gateway.embedded import Embedded
from aihub.services.gateway.embedded_body import EmbeddedBody, embedded_body
from aihub.services.gateway.models import Provider
from aihub.services.gateway.settings import GatewaySettings

router = APIRouter(prefix="/api/v1/embedded", tags=["gateway"])

UPLOAD = "POST /api/v1/embedded/files"

ModelManager = Annotated[Actor, requires("models:manage")]
FileName = Annotated[
    str, Query(pattern=gguf_files.NAME, description="Name for the file; ends in .gguf, no part of a path.")
]
_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SetByOperator(Conflict):
    code = "embedded.set_by_operator"
    title = "The operator of this hub chose the model"
    remedy = "Unset AIHUB_EMBEDDED_GGUF and start the hub again to choose here."


class WrongContent(InvalidRequest):
    code = "embedded.wrong_content"
    title = "A model file is sent as it is"
    remedy = "Send the bytes of the file as the body, with the content type application/octet-stream."


class FileBody(BaseModel):
    """`size` is in bytes; `valid`: it begins as GGUF files do; `chosen`: it is the one to run."""

    name: str
    size: int
    valid: bool
    chosen: bool


class FilesBody(BaseModel):
    """Sizes in bytes. `operator_file` is there when AIHUB_EMBEDDED_GGUF decides and nothing can be chosen."""

    folder: str
    items: list[FileBody]
    demonstration_chosen: bool
    operator_file: str | None
    largest: int
    room: int


class ChoiceBody(BaseModel):
    """`file` null: the demonstration model."""

    model_config = ConfigDict(extra="forbid")
    file: Annotated[str, Field(min_length=1, max_length=255)] | None


@router.get("/files")
async def list_model_files(request: Request, _actor: ModelManager) -> FilesBody:
    """The GGUF files in the hub's folder for them, and which one is to run."""
    runtime = _runtime(request)
    home, gguf = runtime.kernel.home, _settings(runtime).embedded_gguf
    files = await asyncio.to_thread(gguf_files.found, home)
    runs = runtime.get(Embedded).wanted_file()
    return FilesBody(
        folder=str(choice.folder(home)),
        items=[
            FileBody(
                name=file.name,
                size=file.size,
                valid=file.valid,
                chosen=runs is not None and runs == choice.folder(home) / file.name,
            )
            for file in files
        ],
        demonstration_chosen=runs is None,
        operator_file=str(gguf) if gguf else None,
        largest=_settings(runtime).max_gguf,
        room=await asyncio.to_thread(gguf_files.free_space, home),
    )


@router.post("/files", status_code=201, openapi_extra=_RAW_BODY)
async def upload_model_file(request: Request, name: FileName, actor: ModelManager) -> FileBody:
    """Take in a GGUF file: its bytes are the body, AIHUB_MAX_GGUF is its limit. It runs once it is chosen."""
    runtime = _runtime(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/octet-stream":
        raise WrongContent()
    length = request.headers.get("content-length")
    home = runtime.kernel.home
    async with gguf_files.Upload(home, name) as upload:
        try:
            await upload.receive(request.stream(), None if length is None else int(length))
        except ClientDisconnect as exc:
            raise gguf_files.UploadCut("The connection ended in the middle.") from exc
        # What runs now stays what runs: without a choice, the next start would take the new file.
        embedded = runtime.get(Embedded)
        if not choice.explicit(home, _settings(runtime).embedded_gguf)[0]:
            with gguf_files.writing(choice.folder(home)):
                await embedded.pin()
        kept = None
        try:
            async with runtime.database.work(system("take in a model file")) as work:
                await _record(work, actor, "model_file.create", name, size=upload.size)
                kept = await asyncio.to_thread(upload.keep)
        except BaseException:
            if kept is not None:  # no file without a record of who brought it
                upload.withdraw()
            raise
    return FileBody(name=kept.name, size=kept.size, valid=kept.valid, chosen=False)


@router.delete("/files/{name}", status_code=204)
async def delete_model_file(request: Request, name: str, actor: ModelManager) -> None:
    """Remove a file that does not run, and its model."""
    runtime = _runtime(request)
    path = await asyncio.to_thread(gguf_files.named, runtime.kernel.home, name)
    if runtime.get(Embedded).wanted_file() == path:
        raise gguf_files.FileInUse()
    async with runtime.database.work(system("remove a model file")) as work:
        await own_models.leave(work, await _provider(work), path, actor)
        await _record(work, actor, "model_file.remove", name)
        await asyncio.to_thread(gguf_files.remove, path)


@router.put("/choice")
async def choose_model_file(request: Request, body: ChoiceBody, actor: ModelManager) -> EmbeddedBody:
    """Run this file, or the demonstration model. The model that runs is stopped at once; answers it is
    writing break off."""
    runtime = _runtime(request)
    embedded = runtime.get(Embedded)
    home = runtime.kernel.home
    if not embedded.switched_on:
        raise ModelUnavailable(
            "The embedded models are switched off (AIHUB_EMBEDDED).",
            remedy="Set AIHUB_EMBEDDED=on and start the hub again.",
        )
    if _settings(runtime).embedded_gguf is not None:
        raise SetByOperator()
    path = None
    if body.file is not None:
        path = await asyncio.to_thread(gguf_files.named, home, body.file)
        if not await asyncio.to_thread(choice.is_gguf, path):
            raise gguf_files.NotGguf(f"{path.name} does not begin as GGUF files do.")
    async with runtime.database.work(system("choose the model of this machine")) as work:
        await own_models.enter(work, await _provider(work), path, actor, chosen=True)
        await _record(work, actor, "model_file.choose", body.file or "demonstration")
    with gguf_files.writing(choice.folder(home)):
        await embedded.choose(body.file)
    return embedded_body(await embedded.state())


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _settings(runtime: Runtime) -> GatewaySettings:
    return runtime.settings[GatewaySettings]


async def _provider(work: Work) -> Provider:
    provider = await queries.provider_named(work, "embedded")
    if provider is None:
        raise NotFound("The embedded provider is not there.")
    return provider


async def _record(work: Work, actor: Actor, action: str, name: str, **details: object) -> None:
    await audit.record(
        work, actor=actor, action=action, target_kind="model_file", target_id=name, details=details
    )
