"""Steps that need a fresh proof: that whoever holds the session is still its person.

    Keeper = Annotated[Actor, fresh("keys:manage")]

Signing in is such a proof, and so is POST /api/v1/session/proof. It counts for ten minutes.
"""

from typing import Any

from fastapi import Depends, Request

from aihub.kernel.auth import Actor, PermissionCheck
from aihub.kernel.runtime import Runtime
from aihub.services.identity import queries
from aihub.services.identity.contracts import FreshProofNeeded, SessionRequired
from aihub.services.identity.domain import is_fresh

PROVED_AT = "proved_at"


async def require_fresh(runtime: Runtime, actor: Actor) -> None:
    """Raises SessionRequired for an API key and FreshProofNeeded when the last proof is too long ago."""
    if actor.session_id is None:
        raise SessionRequired()
    now = runtime.clock.now()
    if is_fresh(actor.facts.get(PROVED_AT), now):
        return
    # What this process remembers of the session may be older than a proof given a moment ago.
    async with runtime.database.work(actor.scope) as work:
        session = await queries.session(work, actor.session_id)
    if session is None or not is_fresh(session.proved_at, now):
        raise FreshProofNeeded()


class FreshCheck(PermissionCheck):
    """The dependency behind `fresh`."""

    def __init__(self, permission: str | None, *, keys_too: bool) -> None:
        super().__init__(permission)
        self._keys_too = keys_too

    async def __call__(self, request: Request) -> Actor:
        actor = await super().__call__(request)
        if actor.key_id is None or not self._keys_too:
            await require_fresh(request.app.state.runtime, actor)
        return actor


def fresh(permission: str | None = None, *, keys_too: bool = False) -> Any:
    """The typed statement of a route: its caller has this permission and proved a moment ago who they are.

    API keys are refused unless `keys_too`: for what a key may do with the scopes that somebody gave it.
    """
    return Depends(FreshCheck(permission, keys_too=keys_too))
