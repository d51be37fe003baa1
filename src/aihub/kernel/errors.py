"""Errors as classes: a permanent code, an HTTP status, a title and a remedy.

A released code never changes its meaning. Everything that leaves the hub as an error is one of
these classes; each way in renders it in its own shape (RFC 9457 problem details, the OpenAI shape,
a line on the terminal).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request; `field` is a dotted path."""

    field: str
    message: str
    code: str = "invalid"


class AihubError(Exception):
    """The root of every error a caller can see. Subclasses set the four class attributes."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    remedy: ClassVar[str] = "Try again; if it happens again, report the request id to your administrator."
    security_event: tuple[str, str] | None = None
    """Kind and severity, for a refusal that whoever watches over the hub should hear of."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        remedy: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.hint = remedy or self.remedy
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def problem(self, request_id: str | None) -> dict[str, object]:
        """The RFC 9457 body. Never contains an exception's own text or a traceback."""
        body: dict[str, object] = {
            "type": f"urn:aihub:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail or self.title,
            "remedy": self.hint,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [{"field": e.field, "message": e.message, "code": e.code} for e in self.errors]
        return body


class BadRequest(AihubError):
    code = "request.malformed"
    status = 400
    title = "The request could not be read"
    remedy = "Send well-formed UTF-8 JSON with the fields the API reference names."


class InvalidRequest(AihubError):
    code = "request.invalid"
    status = 422
    title = "Some values are not acceptable"
    remedy = "Correct the fields listed under errors and send the request again."


class BodyTooLarge(AihubError):
    code = "request.too_large"
    status = 413
    title = "The request body is too large"
    remedy = "Send less in one request, or ask your administrator to raise the limit."


class NotAuthenticated(AihubError):
    code = "auth.required"
    status = 401
    title = "You are not signed in"
    remedy = "Sign in, or send a valid API key as 'Authorization: Bearer …'."


class Forbidden(AihubError):
    code = "auth.forbidden"
    status = 403
    title = "You may not do this"
    remedy = "Ask an administrator for the permission named in the detail."


class NotFound(AihubError):
    code = "resource.not_found"
    status = 404
    title = "There is nothing here"
    remedy = "Check the address; the thing may have been deleted or may belong to someone else."


class MethodNotAllowed(AihubError):
    code = "request.method_not_allowed"
    status = 405
    title = "This address does not take that method"
    remedy = "See the API reference for the methods of this address."


class Conflict(AihubError):
    code = "resource.conflict"
    status = 409
    title = "This clashes with what is already there"
    remedy = "Reload, look at the present state and try again."


class IdempotencyMismatch(Conflict):
    code = "request.idempotency_mismatch"
    status = 409
    title = "This idempotency key was used with another request"
    remedy = "Use a new Idempotency-Key for a new request; repeat a key only with the same body."


class TooManyRequests(AihubError):
    code = "limits.exceeded"
    status = 429
    title = "Too many requests"
    remedy = "Wait for the seconds in the Retry-After header, then try again."


class Unavailable(AihubError):
    code = "service.unavailable"
    status = 503
    title = "The hub cannot do this right now"
    remedy = "Try again in a few seconds; administrators see the cause under /health/ready."


def catalogue() -> Iterator[type[AihubError]]:
    """Every error class that has been imported, each code once, in the order of codes."""
    found: dict[str, type[AihubError]] = {}
    queue: list[type[AihubError]] = [AihubError]
    while queue:
        cls = queue.pop()
        queue.extend(cls.__subclasses__())
        found.setdefault(cls.code, cls)
    for code in sorted(found):
        yield found[code]
