"""Conversations, runs and one-shot questions over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from aihub.agents import asking, export, service, shapes
from aihub.agents.asking import Lineup, Plan
from aihub.agents.contracts import Question, Started
from aihub.agents.runs import follow
from aihub.agents.runs.executor import RunExecutor
from aihub.agents.runs.one_shot import answer_streamed, answer_whole
from aihub.kernel import idempotency
from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import Work, owned_by, system
from aihub.kernel.limits import Limiter
from aihub.kernel.runtime import Runtime
from aihub.services.gateway.service import Gateway

router = APIRouter(tags=["conversations"])
PUBLIC = frozenset({"/api/v1/shared/{token}"})

Chatter = Annotated[Actor, requires("chat:use")]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


Here = Annotated[Runtime, Depends(_runtime)]


@router.get("/api/v1/conversations")
async def list_conversations(
    here: Here,
    actor: Chatter,
    search: Annotated[str, Query(max_length=200)] = "",
    archived: bool | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> shapes.ConversationsBody:
    """One's conversations, most recently used first; `search` looks at titles and at what was said."""
    async with here.database.work(actor.scope) as work:
        items, following = await service.page(
            work, actor, search=search.strip(), archived=archived, cursor=cursor, limit=limit
        )
    base = here.kernel.base_url()
    return shapes.ConversationsBody(
        items=[shapes.ConversationBody.of(item, base) for item in items], next_cursor=following
    )


@router.post("/api/v1/conversations", status_code=201)
async def create_conversation(
    here: Here, actor: Chatter, body: shapes.NewConversation | None = None
) -> shapes.ConversationBody:
    """A new conversation. Without a title, its first question gives it one."""
    wish = body or shapes.NewConversation()
    if wish.model is not None:
        (await Lineup.of(here.get(Gateway), actor)).choose(wish.model)
    async with here.database.work(actor.scope) as work:
        made = await service.create(
            work, actor, title=wish.title, model=wish.model, system_prompt=wish.system_prompt or ""
        )
    return shapes.ConversationBody.of(made, here.kernel.base_url())


@router.get("/api/v1/conversations/{conversation_id}")
async def read_conversation(here: Here, actor: Chatter, conversation_id: UUID) -> shapes.DetailBody:
    """The conversation with every branch. An answer being written is shown up to `active_run.last_event`."""
    async with here.database.work(actor.scope) as work:
        conversation, messages, run = await service.read(work, actor, conversation_id)
    return shapes.DetailBody(
        conversation=shapes.ConversationBody.of(conversation, here.kernel.base_url()),
        messages=[shapes.MessageBody.of(message) for message in messages],
        active_run=shapes.RunBody.of(run) if run else None,
    )


@router.patch("/api/v1/conversations/{conversation_id}")
async def change_conversation(
    here: Here, actor: Chatter, conversation_id: UUID, body: shapes.ConversationChange
) -> shapes.ConversationBody:
    """Rename, choose a model, a system prompt or another branch, or put away."""
    changes = body.changes()
    if changes.get("model") is not None:
        (await Lineup.of(here.get(Gateway), actor)).choose(changes["model"])
    async with here.database.work(actor.scope) as work:
        changed = await service.change(work, actor, conversation_id, changes)
    return shapes.ConversationBody.of(changed, here.kernel.base_url())


@router.delete("/api/v1/conversations/{conversation_id}", status_code=204)
async def delete_conversation(here: Here, actor: Chatter, conversation_id: UUID) -> None:
    """Delete; it can be restored for 30 days. Its link stops working and a running answer is stopped."""
    async with here.database.work(actor.scope) as work:
        await service.remove(work, actor, conversation_id)


@router.post("/api/v1/conversations/{conversation_id}/restore")
async def restore_conversation(here: Here, actor: Chatter, conversation_id: UUID) -> shapes.ConversationBody:
    """Take back a deletion."""
    async with here.database.work(actor.scope) as work:
        restored = await service.restore(work, actor, conversation_id)
    return shapes.ConversationBody.of(restored, here.kernel.base_url())


@router.post("/api/v1/conversations/{conversation_id}/share")
async def share_conversation(here: Here, actor: Chatter, conversation_id: UUID) -> shapes.LinkBody:
    """A link that shows the present branch to everybody who has it. Sharing again moves it on."""
    async with here.database.work(actor.scope) as work:
        token = await service.share(work, actor, conversation_id)
    return shapes.LinkBody(url=shapes.share_url(here.kernel.base_url(), token), token=token)


@router.delete("/api/v1/conversations/{conversation_id}/share", status_code=204)
async def unshare_conversation(here: Here, actor: Chatter, conversation_id: UUID) -> None:
    """The link never works again."""
    async with here.database.work(actor.scope) as work:
        await service.unshare(work, actor, conversation_id)


@router.get("/api/v1/shared/{token}")
async def read_shared(here: Here, token: str, cursor: UUID | None = None) -> shapes.SharedBody:
    """A shared conversation; whoever has the link may read it. A long one comes in pages."""
    async with here.database.work(system("look for a shared conversation")) as work:
        owner = await service.sharer(work, token)
    async with here.database.work(owned_by(owner)) as work:
        shared = await service.read_shared(work, owner, token, cursor)
    return shapes.SharedBody.of(shared)


@router.get("/api/v1/conversations/{conversation_id}/export", response_class=Response)
async def export_conversation(
    here: Here,
    actor: Chatter,
    conversation_id: UUID,
    format: Annotated[Literal["markdown", "json"], Query()] = "markdown",  # noqa: A002 - the name in the URL
) -> Response:
    """A download: Markdown of the present branch, or JSON of the whole tree."""
    async with here.database.work(actor.scope) as work:
        conversation, messages, _ = await service.read(work, actor, conversation_id)
        files = await service.files(work, messages) if format == "json" else {}
    if format == "json":
        content, kind, suffix = export.tree(conversation, messages, files), "application/json", "json"
    else:
        document = export.markdown(conversation, service.branch_of(messages, conversation))
        content, kind, suffix = document.encode(), "text/markdown; charset=utf-8", "md"
    named = {"Content-Disposition": export.disposition(conversation.title, suffix)}
    return Response(content, media_type=kind, headers=named)


Begin = Callable[[Work, Lineup, str], Awaitable[tuple[Started, Plan]]]


async def _started(
    here: Runtime, actor: Actor, route: str, key: str | None, body: object, begin: Begin, shape: Any
) -> JSONResponse:
    """Write what `begin` writes, answer 202, and have the answer written in the background."""
    executor = here.get(RunExecutor)
    _ = executor.loop
    lineup = await Lineup.of(here.get(Gateway), actor)

    async def run(work: Work) -> tuple[int, object]:
        started, plan = await begin(work, lineup, executor.process)

        async def go() -> None:
            executor.execute(plan)

        work.after_commit(go)
        return 202, shape.of(started).model_dump(mode="json")

    status, answer = await idempotency.once(here.database, actor, route, key, body, run)
    return JSONResponse(answer, status)


@router.post(
    "/api/v1/conversations/{conversation_id}/messages", status_code=202, response_model=shapes.AskedBody
)
async def ask(
    here: Here, actor: Chatter, conversation_id: UUID, body: shapes.NewMessage, key: Key = None
) -> Response:
    """Ask. The answer is written in the background; follow it at /api/v1/runs/{id}/stream.

    The same Idempotency-Key again gets the same answer and asks nothing twice.
    """
    question = Question(
        text=body.text,
        attachments=tuple(item.attachment() for item in body.attachments),
        model=body.model,
        parent=body.parent_id if "parent_id" in body.model_fields_set else "current",
    )

    async def begin(work: Work, lineup: Lineup, process: str) -> tuple[Started, Plan]:
        return await asking.ask(work, actor, conversation_id, question, lineup, process)

    route = f"POST /api/v1/conversations/{conversation_id}/messages"
    return await _started(here, actor, route, key, body, begin, shapes.AskedBody)


@router.post(
    "/api/v1/conversations/{conversation_id}/messages/{message_id}/regenerate",
    status_code=202,
    response_model=shapes.AgainBody,
)
async def regenerate(
    here: Here,
    actor: Chatter,
    conversation_id: UUID,
    message_id: UUID,
    body: shapes.Again | None = None,
    key: Key = None,
) -> Response:
    """Have another answer written beside this one, perhaps by another model."""

    async def begin(work: Work, lineup: Lineup, process: str) -> tuple[Started, Plan]:
        model = body.model if body else None
        return await asking.regenerate(work, actor, conversation_id, message_id, model, lineup, process)

    route = f"POST /api/v1/conversations/{conversation_id}/messages/{message_id}/regenerate"
    return await _started(here, actor, route, key, body, begin, shapes.AgainBody)


@router.post(
    "/api/v1/conversations/{conversation_id}/messages/{message_id}/continue",
    status_code=202,
    response_model=shapes.AgainBody,
)
async def continue_answer(
    here: Here,
    actor: Chatter,
    conversation_id: UUID,
    message_id: UUID,
    body: shapes.Nothing | None = None,
    key: Key = None,
) -> Response:
    """Have an answer that was stopped or interrupted written to its end, in a new message that begins with
    the same words."""

    async def begin(work: Work, lineup: Lineup, process: str) -> tuple[Started, Plan]:
        return await asking.go_on(work, actor, conversation_id, message_id, lineup, process)

    route = f"POST /api/v1/conversations/{conversation_id}/messages/{message_id}/continue"
    return await _started(here, actor, route, key, body, begin, shapes.AgainBody)


@router.get("/api/v1/runs/{run_id}")
async def read_run(here: Here, actor: Chatter, run_id: UUID) -> shapes.RunBody:
    """How far the work on an answer is."""
    async with here.database.work(actor.scope) as work:
        return shapes.RunBody.of(await service.run_of(work, actor, run_id))


@router.get(
    "/api/v1/runs/{run_id}/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def stream_run(
    here: Here,
    actor: Chatter,
    run_id: UUID,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    last_event_id: Annotated[int, Header(alias="Last-Event-ID", ge=0, lt=2**63)] = 0,
) -> StreamingResponse:
    """The answer as server-sent events of the Vercel AI UI message stream: those stored after number
    `after` (or Last-Event-ID), then the live ones, then [DONE]."""
    async with here.database.work(actor.scope) as work:
        run = await service.run_of(work, actor, run_id)
    stream = follow.follow(
        here.get(RunExecutor), here.database, actor.user_id, run, max(after, last_event_id)
    )
    return StreamingResponse(stream, media_type="text/event-stream", headers=follow.HEADERS)


@router.post("/api/v1/runs/{run_id}/stop", status_code=202)
async def stop_run(here: Here, actor: Chatter, run_id: UUID) -> shapes.RunBody:
    """Stop writing. What was shown is kept; a run that has ended stays as it is."""
    async with here.database.work(actor.scope) as work:
        return shapes.RunBody.of(await service.stop(work, actor, run_id))


@router.post(
    "/api/agent/query",
    response_model=shapes.QueryAnswer,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def query_agent(here: Here, actor: Chatter, body: shapes.Query) -> Response:
    """One question, one answer, nothing kept. With `streaming`, server-sent events as those of a run."""
    allowance = await here.get(Limiter).take("ai.query", str(actor.user_id))
    executor = here.get(RunExecutor)
    loop = executor.loop
    model = (await Lineup.of(here.get(Gateway), actor)).choose()
    if body.streaming:
        events: AsyncIterator[bytes] = answer_streamed(loop, actor, model, body.query, executor.brake)
        headers = {**follow.HEADERS, **allowance.headers()}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    answering, text = await answer_whole(loop, actor, model, body.query)
    answer = shapes.QueryAnswer(
        message=text, model=model.name, usage=shapes.UsageBody.of(answering.tally.cost)
    )
    return JSONResponse(answer.model_dump(mode="json"), headers=allowance.headers())
