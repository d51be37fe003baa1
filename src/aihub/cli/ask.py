"""`aihub ask`: one question from the terminal, through the same gateway as everybody's."""

import asyncio
import json
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from aihub.app.database import reach_database
from aihub.app.settings import load_settings
from aihub.app.start import first_data, open_runtime, prepare_schema
from aihub.kernel.auth import Actor
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import system
from aihub.kernel.errors import NotFound
from aihub.kernel.runtime import Runtime
from aihub.services.gateway.contracts import ChatRequest
from aihub.services.gateway.service import Gateway, discover
from aihub.services.identity import service as identity


def ask(
    question: str,
    *,
    model: Annotated[str | None, Parameter(help="A name from 'aihub model list'.")] = None,
    email: Annotated[
        str | None, Parameter(help="On whose account; the only administrator unless given.")
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Ask a question; the answer streams as it is written. Works whether the hub runs or not."""
    asyncio.run(_ask(question, model, email, as_json))


async def _ask(question: str, model: str | None, email: str | None, as_json: bool) -> None:
    settings = load_settings()
    console = Console(stderr=True, highlight=False)
    with console.status("Waking the model") as status:
        async with reach_database(settings[KernelSettings], status.update) as addresses:
            await prepare_schema(addresses, status.update)
            running = await discover(settings[KernelSettings].home, "chat")
            duties = frozenset({"cli"} if running else {"cli", "embedded"})
            async with open_runtime(settings, addresses, duties, pool_size=2) as runtime:
                await first_data(runtime)
                actor = await _actor(runtime, email)
                gateway = runtime.get(Gateway)
                name = model or (await gateway.default_model(actor)).name
                body = {"model": name, "messages": [{"role": "user", "content": question}]}
                text = []
                async with gateway.chat_stream(actor, ChatRequest(body)) as flight:
                    async for chunk in flight:
                        piece = _text(chunk)
                        if piece:
                            status.stop()
                            text.append(piece)
                            if not as_json:
                                print(piece, end="", flush=True)
                receipt = flight.receipt
    if as_json:
        cost = {"credits": receipt.charged / 1_000_000, "model": receipt.model} if receipt else {}
        print(json.dumps({"answer": "".join(text), **cost}))
    else:
        print()
        sys.stdout.flush()


def _text(chunk: dict[str, object]) -> str:
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not choices:
        return ""
    content = choices[0].get("delta", {}).get("content")
    return content if isinstance(content, str) else ""


async def _actor(runtime: Runtime, email: str | None) -> Actor:
    async with runtime.database.work(system("command line: ask")) as work:
        if email is not None:
            user = await identity.find_user_by_email(work, email)
        else:
            people, _ = await identity.list_users(work, limit=200)
            user = next((p for p in people if "super_admin" in p.roles and p.active), None)
        if user is None:
            raise NotFound(
                f"Nobody here has the address {email}." if email else "Nobody administers this hub yet.",
                remedy="Create an account: aihub user create --email you@example.org --role super_admin "
                "--password-stdin",
            )
        access = await identity.access_of(work, user.id)
    if access is None:
        return Actor(user.id, user.email)
    return Actor(user.id, user.email, access.roles, access.permissions, things=access.things)
