"""Every error as an answer: RFC 9457 problem details, or the shape an API dialect needs on its paths."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg import DataError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from aihub.kernel import security_events
from aihub.kernel.auth import Actor
from aihub.kernel.errors import (
    AihubError,
    BadRequest,
    BodyTooLarge,
    Conflict,
    FieldError,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    Unavailable,
)

Shape = Callable[[AihubError, str | None], tuple[int, dict[str, Any]]]
"""Renders an error for one API dialect: status and body."""

_BY_STATUS: dict[int, type[AihubError]] = {
    cls.status: cls
    for cls in (
        BadRequest, NotAuthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict, BodyTooLarge,
        InvalidRequest, TooManyRequests, Unavailable,
    )
}  # fmt: skip


class Unstorable(InvalidRequest):
    code = "request.unstorable"
    title = "A value cannot be stored"
    remedy = "Remove NUL characters and lone surrogates from texts, and keep numbers and dates in range."


def as_response(
    error: AihubError, request_id: str | None, path: str, shapes: Mapping[str, Shape]
) -> Response:
    """The answer for `error` on `path`; the longest matching prefix in `shapes` decides its form."""
    prefix = max((p for p in shapes if path.startswith(p)), key=len, default=None)
    if prefix is not None:
        status, body = shapes[prefix](error, request_id)
        return JSONResponse(body, status, headers=error.headers)
    return JSONResponse(
        error.problem(request_id),
        error.status,
        headers=error.headers,
        media_type="application/problem+json",
    )


def translate(exc: Exception) -> AihubError | None:
    """The hub's own error for an exception of the framework, or None when it is a defect."""
    if isinstance(exc, AihubError):
        return exc
    if isinstance(exc, RequestValidationError):
        return _invalid(exc)
    if isinstance(exc, HTTPException):
        if isinstance(exc.__cause__, AihubError):  # raised while FastAPI read the body
            return exc.__cause__
        cls = _BY_STATUS.get(exc.status_code, BadRequest if exc.status_code < 500 else AihubError)
        detail = None if exc.status_code in (404, 405) else str(exc.detail)
        return cls(detail, headers=dict(exc.headers or {}))
    if isinstance(exc, DBAPIError):
        state = getattr(exc.orig, "sqlstate", None)
        if state is None:  # refused before it was sent, as a text with NUL is
            return Unstorable() if isinstance(exc.orig, DataError) else None
        return Unstorable() if state.startswith("22") else None
    if isinstance(exc, UnicodeError):
        return Unstorable()
    return None


def _invalid(exc: RequestValidationError) -> AihubError:
    errors = exc.errors()
    if any(e["type"] == "json_invalid" for e in errors):
        return BadRequest("The body is not valid JSON.")
    return InvalidRequest(
        errors=[
            FieldError(
                field=".".join(str(part) for part in e["loc"][1:]) or str(e["loc"][0]),
                message=str(e["msg"]),
                code=str(e["type"]),
            )
            for e in errors
        ]
    )


def _methods(request: Request, routes: Sequence[Route]) -> set[str]:
    """Every method that this address takes; the router knows only its first route's."""
    fitting = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in fitting for method in route.methods or ()}


def _tell(request: Request, error: AihubError, kind: str, severity: str) -> None:
    """Count a refusal that matters to the hub's safety, for whoever was refused as far as that is known."""
    actor: Actor | None = getattr(request.state, "actor", None)
    runtime = getattr(request.app.state, "runtime", None)
    if runtime is None:
        return
    facts = {"method": request.method, "path": request.url.path, "code": error.code, "detail": error.detail}
    if actor is None:
        subject, person = security_events.caller(), None
    else:
        subject, person = f"user:{actor.user_id}", actor.user_id
    security_events.event(runtime.database, kind, severity, subject, facts, person=person)


def install(app: FastAPI, shapes: Mapping[str, Shape], routes: Sequence[Route]) -> None:
    """Answer every foreseeable exception of a route with a problem.

    `routes` are what a 405 names the methods from.
    """

    async def answer(request: Request, exc: Exception) -> Response:
        error = translate(exc)
        if error is None:
            raise exc
        if error.security_event is not None:
            _tell(request, error, *error.security_event)
        if isinstance(error, MethodNotAllowed) and (methods := _methods(request, routes)):
            error.headers["Allow"] = ", ".join(sorted(methods))
        return as_response(error, request.scope.get("state", {}).get("request_id"), request.url.path, shapes)

    for kind in (AihubError, RequestValidationError, HTTPException, DBAPIError, UnicodeError):
        app.add_exception_handler(kind, answer)
