"""Put an application together from modules. The only wiring there is."""

from collections.abc import Sequence
from typing import cast

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from aihub import __version__
from aihub.app import reference
from aihub.app.description import DescribedApp, api_routes, guard
from aihub.app.targets import ALL, Target, serves
from aihub.kernel.auth import Authenticator
from aihub.kernel.http import edge, middleware, pace, problems, secrets_in_address, spa
from aihub.kernel.limits import Limiter
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.services.identity.service import COOKIE, IdentityAuthenticator


class UnguardedRoute(RuntimeError):
    """A route states neither a permission nor that it is public; the application does not start."""


def create_app(runtime: Runtime, targets: Sequence[Target] = (ALL,)) -> FastAPI:
    """The ASGI application of one process. `runtime` must have been started.

    Raises UnguardedRoute when a route does not say who may call it.
    """
    modules = [m for m in runtime.modules if serves(targets, m)]
    app = assemble(modules)
    app.state.runtime = runtime
    app.state.authenticator = cast(Authenticator, runtime.get(IdentityAuthenticator))
    if any(t.modules is None or "console" in t.modules for t in targets):
        app.include_router(spa.router(spa.built_app()))
    _wrap(app, runtime, modules)
    return app


def assemble(modules: Sequence[Module]) -> FastAPI:
    """The routes of these modules and their description, without anything that runs."""
    app = DescribedApp(
        modules,
        title="Smart AI Hub",
        version=__version__,
        description="One self-hosted platform for AI assistants in production.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for module in modules:
        require_guards(module)
        for router in module.routers:
            app.include_router(router)
    app.include_router(reference.router(app))
    return app


def _wrap(app: FastAPI, runtime: Runtime, modules: Sequence[Module]) -> None:
    kernel = runtime.kernel
    shapes = {prefix: shape for m in modules for prefix, shape in m.error_shapes.items()}
    problems.install(app, shapes, [route for m in modules for route in api_routes(m)])
    # The last added is the outermost.
    app.add_middleware(
        middleware.BodyLimits,
        largest=kernel.max_body,
        largest_json=kernel.max_json,
        streamed={way: limit(runtime.settings) for m in modules for way, limit in m.body_limits.items()},
        shapes=shapes,
    )
    app.add_middleware(pace.BodyPace)
    app.add_middleware(
        edge.EdgeLimits,
        limiter=runtime.get(Limiter),
        cookie=COOKIE,
        sign_in=_public(modules, "identity"),
        free=_public(modules, "monitoring"),
        shapes=shapes,
    )
    if kernel.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(kernel.allowed_origins),
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-CSRF-Token"],
            expose_headers=["X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy"],
        )
    app.add_middleware(secrets_in_address.SecretsInAddresses, shapes=shapes)
    app.add_middleware(middleware.RequestFacts, service="hub", shapes=shapes)
    app.add_middleware(middleware.SecurityHeaders, hsts=kernel.is_production)
    app.add_middleware(middleware.TrustedProxies, networks=kernel.trusted_proxies)


def _public(modules: Sequence[Module], name: str) -> frozenset[str]:
    """The paths of this module that anybody may call."""
    return frozenset(way.rpartition(" ")[2] for m in modules if m.name == name for way in m.public_paths)


def require_guards(module: Module) -> None:
    """Every route of the module states a permission, or its path is in the module's public list."""
    for router in module.routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise UnguardedRoute(f"{module.name}: {route} is not an API route")
            ways = {f"{method} {route.path}" for method in route.methods or ()}
            if route.path in module.public_paths or ways <= module.public_paths:
                continue
            if guard(route) is None:
                raise UnguardedRoute(f"{module.name}: {route.path} does not say who may call it")
