"""Links that are sent by e-mail, work once and for a limited time. Only their hashes are kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.kernel.tokens import new_token, token_hash
from aihub.services.identity.contracts import LinkInvalid
from aihub.services.identity.models import LinkRow
from aihub.services.identity.queries import links


async def make_link(
    work: Work,
    kind: str,
    *,
    email: str,
    life: timedelta,
    clock: Clock,
    locale: str,
    owner: UUID | None = None,
    name: str = "",
    roles: Sequence[str] = (),
    created_by: UUID | None = None,
) -> tuple[UUID, str, datetime]:
    """A new link's id, its token and when it ends."""
    link_id, token = new_id(), new_token("")
    now = clock.now()
    await links.add(
        work,
        id=link_id,
        kind=kind,
        token_hash=token_hash(token),
        owner_id=owner,
        email=email,
        name=name,
        roles=list(roles),
        locale=locale,
        created_by=created_by,
        created_at=now,
        expires_at=now + life,
    )
    return link_id, token, now + life


async def look_at_link(work: Work, kind: str, token: str, clock: Clock) -> LinkRow:
    """A link that still works, without using it. Raises LinkInvalid."""
    link = await links.by_token(work, kind, token_hash(token), clock.now())
    if link is None:
        raise LinkInvalid()
    return link


async def use_link(work: Work, kind: str, token: str, clock: Clock) -> LinkRow:
    """Use a link up; when the work is undone, it was not. Raises LinkInvalid."""
    link = await links.use(work, kind, token_hash(token), clock.now())
    if link is None:
        raise LinkInvalid()
    return link
