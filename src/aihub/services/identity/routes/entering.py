"""Letting a browser in: whether it may try, and the cookie it gets."""

from fastapi import Request, Response

from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.services.identity import service
from aihub.services.identity.contracts import Post, Session, User
from aihub.services.identity.domain import KNOWN_LIFE, SESSION_LONGEST
from aihub.services.identity.routes.bodies import SessionBody, session_body
from aihub.services.identity.routes.ways import caller_of, runtime_of
from aihub.services.identity.service import COOKIE, IdentityAuthenticator
from aihub.services.identity.service.known_devices import KNOWN_COOKIE, known_token


def browser_may(request: Request) -> None:
    """Raises ForeignOrigin or InsecureAddress."""
    authenticator = runtime_of(request).get(IdentityAuthenticator)
    authenticator.require_same_origin(request)
    authenticator.require_cookie_address(request)


async def with_cookie(
    request: Request, response: Response, user: User, session: Session, token: str
) -> SessionBody:
    """The answer to a sign-in, with the cookie; ends the session that the browser had before."""
    runtime = runtime_of(request)
    authenticator = runtime.get(IdentityAuthenticator)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LONGEST.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    response.set_cookie(
        KNOWN_COOKIE,
        known_token(runtime.get(Crypto), user.email, request.cookies.get(KNOWN_COOKIE)),
        max_age=int(KNOWN_LIFE.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    async with runtime.database.work(system("begin a session")) as work:
        await service.tell_of_new_device(
            work, user, session, caller_of(request), post=runtime.get(Post), clock=runtime.clock
        )
        if previous := request.cookies.get(COOKIE):
            await service.end_session_of(work, previous)
        access = await service.access_of(work, user.id)
        restriction = await service.restriction_of(work, session, authenticator.second_factor_roles)
    permissions = access.permissions if access else frozenset[str]()
    return session_body(user, permissions, session, authenticator.csrf_token(session.id), restriction)
