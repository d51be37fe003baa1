"""The OpenAPI description: what FastAPI derives, with how errors look and who may call added."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from aihub.kernel.auth import PermissionCheck
from aihub.kernel.module import Module

_TEXT = {"type": "string"}
_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457 problem details. `code` never changes its meaning.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "remedy", "request_id"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "code": _TEXT,
        "detail": _TEXT,
        "remedy": _TEXT,
        "request_id": {"type": ["string", "null"]},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldProblem"}},
    },
}
_FIELD_PROBLEM: dict[str, Any] = {
    "title": "FieldProblem",
    "type": "object",
    "required": ["field", "message", "code"],
    "properties": {"field": _TEXT, "message": _TEXT, "code": _TEXT},
}
_DIALECT_ERROR: dict[str, Any] = {
    "title": "OpenAIError",
    "description": "An error as OpenAI's clients expect it.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": _TEXT,
                "type": _TEXT,
                "param": {"type": ["string", "null"]},
                "code": _TEXT,
            },
        }
    },
}
_SCHEMES: dict[str, Any] = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-aihub",
        "description": "A browser's session.",
    },
}


class DescribedApp(FastAPI):
    """An application whose description says how each route refuses, and whom it lets in."""

    def __init__(self, modules: Sequence[Module], **options: Any) -> None:
        super().__init__(**options)
        self._modules = modules
        self._described: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        if self._described is None:
            self._described = self._finish(super().openapi())
        return self._described

    def _finish(self, described: dict[str, Any]) -> dict[str, Any]:
        guards = {
            (route.path_format, method.lower()): guard(route)
            for module in self._modules
            for route in api_routes(module)
            for method in route.methods or ()
        }
        prefixes = tuple(prefix for m in self._modules for prefix in m.error_shapes)
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                dialect = bool(prefixes) and path.startswith(prefixes)
                check = guards.get((path, method))
                answers = operation["responses"]
                answers.pop("422", None)
                declared = {int(status) for status in answers if int(status) >= 400}
                shaped = {status for status in declared if "content" in answers[str(status)]}
                expected = declared | _refusals(method, path, operation, check is not None)
                for status in sorted(expected - shaped - ({422} if dialect else set())):
                    answers[str(status)] = {"$ref": f"#/components/responses/{_name(status, dialect)}"}
                if check is not None:
                    operation["security"] = [{"key": []}, {"session": []}]
                    operation["x-permission"] = check.permission
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas |= {"Problem": _PROBLEM, "FieldProblem": _FIELD_PROBLEM, "OpenAIError": _DIALECT_ERROR}
        described["components"]["securitySchemes"] = _SCHEMES
        described["components"]["responses"] = {
            _name(status, dialect): _refusal(words, dialect)
            for status, words in _WORDS.items()
            for dialect in (False, True)
        }
        return described


_WORDS = {
    400: "The request cannot be read, or its cursor is none",
    401: "Nobody is signed in, or the credentials are wrong or have ended",
    402: "There are not enough credits",
    403: "This caller may not do it, or not without a fresh proof",
    404: "There is no such thing, or it is somebody else's",
    408: "The body took too long to arrive",
    409: "The present state does not allow it",
    410: "It was there once, and is gone for good",
    413: "The body is too large",
    422: "Some values are not acceptable; `errors` names the fields",
    429: "Too many requests; `Retry-After` says when to come back",
    502: "Something outside that the hub depends on failed",
    503: "The database, a provider or the model of this machine cannot be reached at the moment",
    504: "Something outside that the hub depends on took too long",
}
"""What the statuses mean, wherever they occur. A route declares those that do not follow from its form."""


def _refusals(method: str, path: str, operation: dict[str, Any], guarded: bool) -> set[int]:
    """How a route may refuse that has this form."""
    changes = method not in ("get", "head")
    statuses = {400, 429, 503}
    if guarded or changes:
        statuses |= {401, 403}
    if "{" in path or changes:
        statuses.add(404)
    if changes:
        statuses.add(409)
    if "requestBody" in operation or operation.get("parameters"):
        statuses.add(422)
    if "requestBody" in operation:
        statuses |= {408, 413}
    return statuses


def _name(status: int, dialect: bool) -> str:
    return f"{'OpenAIError' if dialect else 'Problem'}{status}"


def _refusal(words: str, dialect: bool) -> dict[str, Any]:
    kind, name = ("application/json", "OpenAIError") if dialect else ("application/problem+json", "Problem")
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": words, "content": {kind: {"schema": schema}}}


def api_routes(module: Module) -> Iterator[APIRoute]:
    """The routes of a module."""
    for router in module.routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route


def guard(route: APIRoute) -> PermissionCheck | None:
    """What the route asks of its caller, if anything."""
    return next((call for call in _calls(route.dependant) if isinstance(call, PermissionCheck)), None)


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)
