"""Signing in with a provider, and the accounts at providers that one has linked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, signed_in
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.errors import AihubError, NotFound, catalogue
from aihub.kernel.limits import Limiter
from aihub.kernel.telemetry.logs import get_logger
from aihub.services.identity.adapters.oidc import OidcProviders
from aihub.services.identity.contracts import Line, Wallets
from aihub.services.identity.contracts.federation import Attempt, AttemptInvalid, LinkedSignIn, Purpose
from aihub.services.identity.routes.bodies import SessionBody
from aihub.services.identity.routes.entering import browser_may, with_cookie
from aihub.services.identity.routes.factor_bodies import Code
from aihub.services.identity.routes.ways import by_person, caller_of, runtime_of
from aihub.services.identity.service import IdentityAuthenticator, federation, fresh
from aihub.services.identity.service.federation import Entered, Entrance, Travel

router = APIRouter(prefix="/api/v1", tags=["identity"])
PUBLIC = frozenset(
    {
        "/api/v1/session/oidc",
        "/api/v1/session/oidc/{handle}/callback",
        "/api/v1/session/oidc/problem",
        "/api/v1/session/oidc/waiting",
        "/api/v1/session/oidc/code",
    }
)
BROWSER = "__Host-aihub-sign-in"
"""The cookie that binds a sign-in to the browser in which it was begun."""

log = get_logger("aihub.identity")
SignedIn = Annotated[Actor, signed_in()]
Proven = Annotated[Actor, fresh()]
Handle = Annotated[Line, Field(min_length=1, max_length=40)]
_Said = Annotated[str | None, Query(max_length=4096)]
_LINKED_PAGE, _PROVEN_PAGE = "/account/security", "/proven"
_MINE = "federation."
_OUTSIDE: dict[int | str, dict[str, Any]] = {502: {}}
_NOTHING: dict[int | str, dict[str, Any]] = {404: {}}


class SignInChoiceBody(BaseModel):
    """A provider that people may sign in with."""

    handle: str
    name: str


class SignInChoicesBody(BaseModel):
    items: list[SignInChoiceBody]


class DepartureRequest(BaseModel):
    provider: Handle


class SignInDeparture(DepartureRequest):
    next: Annotated[str, Field(max_length=1000)] = "/"


class DepartureBody(BaseModel):
    """Where the browser has to go now."""

    url: str


class SignInProblemBody(BaseModel):
    """Why a sign-in with a provider failed, in words."""

    code: str
    title: str
    remedy: str


class SignInStepBody(BaseModel):
    """What has to be done in this browser before a sign-in with a provider goes on."""

    step: Literal["link", "code"]
    provider: str
    email: str | None


class GoOnBody(BaseModel):
    """The page that the sign-in was meant for."""

    next: str


class CodeStep(BaseModel):
    code: Code


class CodeStepBody(GoOnBody):
    session: SessionBody


class LinkedSignInBody(BaseModel):
    """An account at a provider that signs in to one's own."""

    id: UUID
    provider: str
    handle: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None


class LinkedSignInsBody(BaseModel):
    """`password`: whether one can sign in with a password, too."""

    items: list[LinkedSignInBody]
    next_cursor: str | None = None
    password: bool


@router.get("/session/oidc")
async def list_sign_in_choices(request: Request) -> SignInChoicesBody:
    """The providers that people may sign in with."""
    async with runtime_of(request).database.work(system("sign-in page")) as work:
        choices = await federation.sign_in_choices(work)
    return SignInChoicesBody(items=[SignInChoiceBody(handle=handle, name=name) for handle, name in choices])


@router.post("/session/oidc", responses=_OUTSIDE)
async def begin_sign_in(request: Request, response: Response, body: SignInDeparture) -> DepartureBody:
    """Where to go to sign in with a provider. It comes back to this hub, in the same browser."""
    browser_may(request)
    return await _depart(request, response, body.provider, "sign-in", next_path=body.next)


@router.get("/session/oidc/problem", responses=_NOTHING)
async def read_sign_in_problem(code: Annotated[str, Query(max_length=100)]) -> SignInProblemBody:
    """What a code on the sign-in page means."""
    for kind in catalogue():
        if kind.code == code and code.startswith(_MINE):
            return SignInProblemBody(code=code, title=kind.title, remedy=kind.remedy)
    raise NotFound("There is no such code.")


@router.get("/session/oidc/waiting", responses=_NOTHING)
async def read_waiting(request: Request) -> SignInStepBody:
    """The step that a sign-in with a provider waits for in this browser."""
    async with runtime_of(request).database.work(system("sign in with a provider")) as work:
        waits = await federation.look_at_waiting(work, _browser(request) or "", runtime_of(request).clock)
    return SignInStepBody(step=waits.step, provider=waits.provider, email=waits.identity.email)


@router.post("/session/oidc/code")
async def go_on_with_code(request: Request, response: Response, body: CodeStep) -> CodeStepBody:
    """Finish a sign-in with a provider by a code of one's authenticator app, or a recovery code."""
    browser_may(request)
    entered, following = await _entrance(request).enter_with_code(
        _browser(request) or "", body.code, caller_of(request)
    )
    session = await with_cookie(request, response, entered.user, entered.session, entered.token)
    return CodeStepBody(next=following, session=session)


@router.get("/session/oidc/{handle}/callback", status_code=303, response_class=RedirectResponse)
async def come_back(
    request: Request,
    handle: Handle,
    state: _Said = None,
    code: _Said = None,
    iss: _Said = None,
    error: _Said = None,
) -> Response:
    """Where a provider sends people back to. It answers with a page to go on to, also for a failure."""
    given = {"state": state, "code": code, "iss": iss, "error": error}
    answer = {name: value for name, value in given.items() if value is not None}
    travel, browser = _travel(request), _browser(request)
    try:
        attempt = await travel.take(handle, state, browser)
    except AihubError as failure:
        return _failed(handle, "sign-in", failure)
    try:
        return await _arrive(request, travel, handle, attempt, answer, browser or "")
    except AihubError as failure:
        return _failed(handle, attempt.purpose, failure)


@router.post("/session/proof/oidc", responses=_OUTSIDE)
async def begin_proof(
    request: Request, response: Response, body: DepartureRequest, actor: SignedIn
) -> DepartureBody:
    """Where to go to show that it is still you, with a provider that you have linked."""
    return await _depart(request, response, body.provider, "proof", actor=by_person(actor))


@router.get("/linked-sign-ins")
async def list_links(request: Request, actor: SignedIn) -> LinkedSignInsBody:
    """Your accounts at providers that sign you in here, the newest first."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        found = await federation.list_links(work, actor.user_id)
        password = await federation.has_password(work, actor.user_id)
    return LinkedSignInsBody(items=[link_body(link) for link in found], password=password)


@router.post("/linked-sign-ins", responses=_OUTSIDE)
async def begin_link(
    request: Request, response: Response, body: DepartureRequest, actor: Proven
) -> DepartureBody:
    """Where to go to link an account at a provider to yours."""
    return await _depart(request, response, body.provider, "link", actor=actor)


@router.post("/linked-sign-ins/waiting")
async def link_waiting(request: Request, actor: Proven) -> GoOnBody:
    """Link the sign-in that waits in this browser to your account."""
    runtime = runtime_of(request)
    async with runtime.database.work(system("link a sign-in")) as work:
        following = await federation.link_waiting(work, actor, _browser(request) or "", runtime.clock)
    return GoOnBody(next=following)


@router.delete("/linked-sign-ins/{link_id}", status_code=204)
async def unlink(request: Request, link_id: UUID, actor: Proven) -> None:
    """Unlink an account at a provider: it does not sign you in any more."""
    async with runtime_of(request).database.work(system("unlink a sign-in")) as work:
        await federation.unlink(work, actor, link_id)


def link_body(link: LinkedSignIn) -> LinkedSignInBody:
    return LinkedSignInBody(
        id=link.id,
        provider=link.provider,
        handle=link.handle,
        email=link.email,
        created_at=link.created_at,
        last_used_at=link.last_used_at,
    )


async def _depart(
    request: Request,
    response: Response,
    handle: str,
    purpose: Purpose,
    *,
    next_path: str = "/",
    actor: Actor | None = None,
) -> DepartureBody:
    runtime = runtime_of(request)
    origin = request.headers.get("origin") or str(request.base_url).rstrip("/")
    home = federation.home_of(origin, request.headers.get("host", ""), runtime.kernel.public_url)
    departure = await _travel(request).depart(
        handle, purpose, home=home, browser=_browser(request), next_path=next_path, actor=actor
    )
    response.set_cookie(
        BROWSER,
        departure.browser,
        max_age=int(federation.ATTEMPT_LIFE.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return DepartureBody(url=departure.url)


async def _arrive(
    request: Request,
    travel: Travel,
    handle: str,
    attempt: Attempt,
    answer: Mapping[str, str],
    browser: str,
) -> Response:
    runtime = runtime_of(request)
    actor = None
    if attempt.purpose != "sign-in":
        seen = await runtime.get(IdentityAuthenticator).authenticate(request)
        actor = federation.same_session(attempt, seen)
    provider, identity = await travel.arrive(handle, attempt, answer)
    if actor is None:
        entered = await _entrance(request).enter(
            provider, identity, caller_of(request), browser=browser, next_path=attempt.next_path
        )
        if not isinstance(entered, Entered):
            return _go("/sign-in/code" if entered == "code" else "/sign-in/link")
        response = _go(attempt.next_path)
        await with_cookie(request, response, entered.user, entered.session, entered.token)
        return response
    async with runtime.database.work(system("use a linked sign-in")) as work:
        if attempt.purpose == "link":
            await federation.link(work, actor, provider, identity, runtime.clock)
        else:
            await federation.prove(work, actor, attempt, provider, identity, runtime.clock)
    if attempt.purpose == "link":
        return _go(f"{_LINKED_PAGE}?{urlencode({'linked': provider.name}, quote_via=quote)}")
    return _go(_PROVEN_PAGE)


def _failed(handle: str, purpose: Purpose, failure: AihubError) -> Response:
    """A page that says so. What exactly happened is for the log: anybody can read an address."""
    log.warning("auth.federation_failed", provider=handle, code=failure.code, detail=failure.detail)
    code = failure.code if failure.code.startswith(_MINE) else AttemptInvalid.code
    pages: dict[Purpose, str] = {"sign-in": "/sign-in", "link": _LINKED_PAGE, "proof": _PROVEN_PAGE}
    return _go(f"{pages[purpose]}?problem={quote(code)}")


def _go(path: str) -> RedirectResponse:
    # A path and nothing else: there is no way from here to another site.
    return RedirectResponse(federation.local_path(path), 303, headers={"Cache-Control": "no-store"})


def _travel(request: Request) -> Travel:
    runtime = runtime_of(request)
    return Travel(runtime.database, runtime.get(Crypto), runtime.get(OidcProviders), runtime.clock)


def _entrance(request: Request) -> Entrance:
    runtime = runtime_of(request)
    return Entrance(
        runtime.database, runtime.get(Crypto), runtime.get(Limiter), runtime.get(Wallets), runtime.clock
    )


def _browser(request: Request) -> str | None:
    return request.cookies.get(BROWSER)
