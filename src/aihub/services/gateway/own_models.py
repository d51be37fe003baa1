"""How the models that run on this machine stand in the catalogue."""

import re
from pathlib import Path

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.gateway import queries
from aihub.services.gateway.adapters.embedded.choice import title_of
from aihub.services.gateway.contracts import DEMONSTRATION_MODEL
from aihub.services.gateway.models import Model, Provider

CONTEXT = 4096
"""Tokens per conversation of a chat model that runs on this machine."""

DEMONSTRATION, DEMONSTRATION_ALIAS = "smollm2-135m", "demo"
LOCAL = "local"
"""The alias of the file of one's own that was chosen last."""


async def enter(
    work: Work, provider: Provider, file: Path | None, actor: Actor | None, *, chosen: bool
) -> None:
    """See to it that the model of `file` (None: the demonstration model) can be called.

    `chosen`: somebody wants it now, so it is switched on and takes the alias `local` from another file.
    """
    await queries.lock_names(work)
    title = title_of(file)
    row = await queries.model_of(work, provider.id, title)
    fresh = row is None
    if row is None:
        row = Model(
            id=new_id(),
            name=await _free_name(work, DEMONSTRATION if file is None else _name_of(file)),
            aliases=[],
            provider_id=provider.id,
            kind="chat",
            upstream_name=title,
            context_length=CONTEXT,
            input_price=0,
            output_price=0,
            request_price=0,
        )
        await queries.add(work, row)
        if actor is not None:  # what a hub has from its first start on is nobody's doing
            await _record(work, actor, "model.create", row)
    elif chosen and not row.enabled:
        row.enabled = True
        await _record(work, actor, "model.change", row, enabled=True)
    if fresh or chosen:
        await _give_alias(work, row, DEMONSTRATION_ALIAS if file is None else LOCAL, take=chosen)
    await queries.store(work, row)


async def leave(work: Work, provider: Provider, file: Path, actor: Actor | None) -> None:
    """Remove the model of a file that is gone."""
    title = title_of(file)
    row = None if title == DEMONSTRATION_MODEL else await queries.model_of(work, provider.id, title)
    if row is not None:
        await queries.delete(work, row)
        await _record(work, actor, "model.remove", row)


async def _give_alias(work: Work, row: Model, alias: str, *, take: bool) -> None:
    if row.name == alias or alias in row.aliases:
        return
    holder = await queries.model_called(work, alias)
    if holder is not None:
        if not take or holder.provider_id != row.provider_id or holder.name == alias:
            return
        holder.aliases = [other for other in holder.aliases if other != alias]
        await queries.store(work, holder)
    row.aliases = [*row.aliases, alias]


def _name_of(file: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", title_of(file).lower()).strip("-")[:120] or LOCAL


async def _free_name(work: Work, name: str) -> str:
    number, free = 1, name
    while await queries.names_taken(work, [free], None):
        number += 1
        free = f"{name}-{number}"
    return free


async def _record(work: Work, actor: Actor | None, action: str, row: Model, **details: object) -> None:
    await audit.record(
        work,
        actor=actor,
        action=action,
        target_kind="model",
        target_id=str(row.id),
        details={"name": row.name, "upstream_name": row.upstream_name, **details},
    )
