"""What every way into identity reads from a request."""

from fastapi import Request

from aihub.kernel.auth import Actor
from aihub.kernel.runtime import Runtime
from aihub.services.identity.contracts import SessionRequired
from aihub.services.identity.service import Caller, IdentityAuthenticator
from aihub.services.identity.service.known_devices import KNOWN_COOKIE
from aihub.services.identity.service.passkeys import Place, place_of


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def caller_of(request: Request) -> Caller:
    return Caller(
        request.client.host if request.client else None,
        request.headers.get("user-agent"),
        request.cookies.get(KNOWN_COOKIE),
    )


def by_person(actor: Actor) -> Actor:
    """Raises SessionRequired for a key."""
    if actor.session_id is None:
        raise SessionRequired()
    return actor


def place(request: Request) -> Place:
    """Where passkeys of the page that asks belong. Raises PasskeyAddress."""
    origin = request.headers.get("origin") or str(request.base_url).rstrip("/")
    return place_of(origin, request.headers.get("host", ""), runtime_of(request).kernel.public_url)


def required_roles(request: Request) -> frozenset[str]:
    """The roles whose people need a second factor."""
    return runtime_of(request).get(IdentityAuthenticator).second_factor_roles
