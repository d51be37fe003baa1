"""Every way into the application: what the router knows, described or not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Route

from aihub.app.build import assemble
from aihub.app.description import api_routes, guard
from aihub.app.modules import MODULES
from aihub.kernel.http import spa


@dataclass(frozen=True)
class Way:
    """A method of a path. `permission` is None where any signed-in caller will do, or anybody."""

    module: str
    method: str
    path: str
    permission: str | None
    guarded: bool


def every_way() -> list[Way]:
    """In the order of the modules; HEAD only where there is no GET."""
    app = assemble(MODULES)
    app.include_router(spa.router(spa.built_app()))
    modules = {
        (method, route.path): module.name
        for module in MODULES
        for route in api_routes(module)
        for method in route.methods or ()
    }
    found: dict[tuple[str, str], Way] = {}
    for route in _flat(app.routes):
        check = guard(route) if isinstance(route, APIRoute) else None
        for method in sorted(route.methods or {"GET"}):
            module = modules.get((method, route.path), "pages")
            way = Way(module, method, route.path, check.permission if check else None, check is not None)
            found.setdefault((method, route.path), way)
    return [way for way in found.values() if not (way.method == "HEAD" and ("GET", way.path) in found)]


def _flat(routes: Iterable[Any]) -> Iterator[Route]:
    for route in routes:
        inner = getattr(route, "original_router", None) or route
        if isinstance(route, Route):
            yield route
        elif hasattr(inner, "routes"):
            yield from _flat(inner.routes)
        else:
            raise AssertionError(f"what is {route!r}? This file does not know how to look into it")
