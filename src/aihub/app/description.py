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
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = _refusal(dialect)
                check = guards.get((path, method))
                if check is not None:
                    operation["security"] = [{"key": []}, {"session": []}]
                    operation["x-permission"] = check.permission
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas |= {"Problem": _PROBLEM, "FieldProblem": _FIELD_PROBLEM, "OpenAIError": _DIALECT_ERROR}
        described["components"]["securitySchemes"] = _SCHEMES
        return described


def _refusal(dialect: bool) -> dict[str, Any]:
    kind, name = ("application/json", "OpenAIError") if dialect else ("application/problem+json", "Problem")
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": "Refused or failed", "content": {kind: {"schema": schema}}}


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
