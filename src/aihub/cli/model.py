"""`aihub model`: models and the providers they live at."""

import json
import sys
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, done, run, secret_from_stdin, show
from aihub.kernel.crypto import Crypto
from aihub.kernel.db.database import Work
from aihub.kernel.errors import NotFound
from aihub.services.credits.service import credits_text, parse_credits
from aihub.services.gateway import service as gateway
from aihub.services.gateway.contracts import ModelInfo, ModelWish, Provider, ProviderWish
from aihub.services.gateway.service import ANTHROPIC_URL, OPENAI_URL, GatewaySettings

app = App(name="model", help="Add, list and remove models and their providers.")
Json = Annotated[bool, Parameter(name="--json", negative="")]
Kind = Literal["openai", "anthropic"]
_ADDRESS: dict[Kind, str] = {"openai": OPENAI_URL, "anthropic": ANTHROPIC_URL}


def _row(model: ModelInfo) -> dict[str, object]:
    return {
        "name": model.name,
        "aliases": list(model.aliases),
        "kind": model.kind,
        "provider": model.provider.name,
        "upstream_name": model.upstream_name,
        "context_length": model.context_length,
        "input_price": credits_text(model.price.input),
        "output_price": credits_text(model.price.output),
        "request_price": credits_text(model.price.request),
        "enabled": model.usable,
    }


@app.command
def add(
    *,
    provider: Annotated[Kind, Parameter(help="The dialect the provider speaks.")],
    name: Annotated[str, Parameter(help="What callers call the model.")],
    base_url: Annotated[
        str | None, Parameter(help="Where it answers; its public address unless given.")
    ] = None,
    upstream_name: Annotated[str | None, Parameter(help="What the provider calls it, if different.")] = None,
    kind: Literal["chat", "embedding"] = "chat",
    alias: Annotated[tuple[str, ...], Parameter(help="May be given more than once.")] = (),
    api_key_stdin: Annotated[
        bool, Parameter(negative="", help="Read the provider's key from stdin.")
    ] = False,
    allow_private: Annotated[
        bool, Parameter(negative="", help="The address may be in a private network.")
    ] = False,
    context_length: int | None = None,
    max_output: int | None = None,
    input_price: Annotated[str | None, Parameter(help="Credits per million tokens in.")] = None,
    output_price: Annotated[str | None, Parameter(help="Credits per million tokens out.")] = None,
    request_price: Annotated[str | None, Parameter(help="Credits per request.")] = None,
    as_json: Json = False,
) -> None:
    """Add a model. Its provider is found by its address, or made."""
    address = (base_url or _ADDRESS[provider]).rstrip("/")
    api_key = secret_from_stdin("provider's API key") if api_key_stdin else None

    async def main(desk: Desk) -> ModelInfo:
        await gateway.judge_address(address, allow_private=allow_private)
        async with desk.work("add model") as work:
            at = await _provider(desk, work, provider, address, api_key, allow_private)
            wish = ModelWish(
                name=name,
                provider_id=at.id,
                upstream_name=upstream_name or name,
                kind=kind,
                aliases=alias,
                context_length=context_length,
                max_output=max_output,
                input_price=_price(input_price),
                output_price=_price(output_price),
                request_price=_price(request_price),
            )
            return await gateway.add_model(work, wish, None)

    model = run(main)
    if as_json:
        print(json.dumps(_row(model)))
    else:
        print(f"{model.name} answers through {model.provider.name}.", file=sys.stderr)


def _price(text: str | None) -> int | None:
    return None if text is None else parse_credits(text)


async def _provider(
    desk: Desk, work: Work, kind: Kind, address: str, api_key: str | None, allow_private: bool
) -> Provider:
    """The provider at this address, with the key and permission given now; a new one when there is none."""
    settings, crypto = desk.runtime.settings[GatewaySettings], desk.runtime.get(Crypto)
    known = await gateway.list_providers(work, settings, after=None, limit=1000)
    for found in known:
        if (found.kind, found.base_url) == (kind, address):
            changes: dict[str, object] = {}
            if api_key is not None:
                changes["api_key"] = api_key
            if allow_private and not found.allow_private:
                changes["allow_private"] = True
            if not changes:
                return found
            return await gateway.change_provider(work, crypto, settings, found.id, changes, None)
    names = {p.name for p in known}
    base = kind if address == _ADDRESS[kind] else (urlsplit(address).netloc or kind)
    name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 1000))) if n not in names)
    wish = ProviderWish(name, kind, address, api_key, allow_private)
    return await gateway.add_provider(work, crypto, settings, wish, None)


@app.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """List models with their prices (credits per million tokens, and per request)."""

    async def main(desk: Desk) -> list[ModelInfo]:
        async with desk.work("list models") as work:
            return list(await gateway.list_models(work, after=None, limit=1000))

    show([_row(m) for m in run(main)], as_json=as_json, empty="There are no models yet.")


@app.command
def remove(name: str, *, as_json: Json = False) -> None:
    """Remove a model; its provider stays."""

    async def main(desk: Desk) -> None:
        async with desk.work("remove model") as work:
            models = await gateway.list_models(work, after=None, limit=1000)
            found = next((m for m in models if m.name == name), None)
            if found is None:
                raise NotFound(f"There is no model named {name}.", remedy="'aihub model list' shows them.")
            await gateway.remove_model(work, found.id, None)

    run(main)
    done(f"{name} is removed.", {"name": name, "removed": True}, as_json=as_json)
