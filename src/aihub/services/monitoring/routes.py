"""Health and metrics over HTTP. One registry answers every address the guides name."""

import hmac
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from aihub import __version__
from aihub.kernel.auth import Actor, PermissionCheck, requires
from aihub.kernel.errors import NotAuthenticated
from aihub.kernel.health import Health, Report, Result, State
from aihub.kernel.runtime import Runtime
from aihub.kernel.telemetry.metrics import CONTENT_TYPE, exposition

router = APIRouter(tags=["health"])

LIVE = ("/health/live", "/live")
READY = (
    "/health", "/health/ready", "/ready", "/auth/health", "/core/health", "/mcp/health",
    "/health/overall", "/api/health", "/api/status/health",
)  # fmt: skip
ONE = {"/health/database": "database", "/api/health/db": "database", "/api/health/ai": "ai"}
METRICS = (
    "/metrics", "/api/metrics", "/auth/metrics", "/core/metrics", "/mcp/metrics", "/webhook/metrics",
    "/api/status/metrics",
)  # fmt: skip
PUBLIC = frozenset({*LIVE, *READY, *ONE, *METRICS})

_WORDS = {State.OK: "healthy", State.DEGRADED: "degraded", State.FAILED: "unhealthy"}
_SERVICES = {
    State.OK: "connected", State.DEGRADED: "degraded", State.FAILED: "disconnected",
    State.NOT_CONFIGURED: "not_configured",
}  # fmt: skip


class HealthBody(BaseModel):
    """States only; texts and numbers are for those with monitoring:read under /api/status/detailed."""

    status: str
    timestamp: datetime
    services: dict[str, str]


class ProbeBody(BaseModel):
    name: str
    state: State
    critical: bool
    milliseconds: float
    detail: str
    facts: dict[str, object]


class DetailBody(BaseModel):
    status: str
    timestamp: datetime
    version: str
    environment: str
    uptime_seconds: float
    probes: list[ProbeBody]


def _health(request: Request) -> Health:
    runtime: Runtime = request.app.state.runtime
    return runtime.get(Health)


def _answer(report: Report) -> JSONResponse:
    # The guides' monitors look for `openai`; it is the state of the AI providers, whichever they are.
    services = {r.name: _SERVICES[r.reading.state] for r in report.results}
    if "ai" in services:
        services["openai"] = services["ai"]
    body = HealthBody(status=_WORDS[report.state], timestamp=datetime.now(UTC), services=services)
    if report.state is State.FAILED:
        return JSONResponse(body.model_dump(mode="json"), 503, {"Retry-After": "2"})
    return JSONResponse(body.model_dump(mode="json"))


async def live() -> HealthBody:
    """The process runs and its event loop turns."""
    return HealthBody(status="healthy", timestamp=datetime.now(UTC), services={})


async def ready(request: Request) -> Response:
    """Can this process serve? 503 when a critical probe fails; a failing AI provider only degrades."""
    return _answer(await _health(request).check())


def _one(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def one(request: Request) -> Response:
        report = await _health(request).check([name])
        response = _answer(report)
        if any(r.reading.state is State.FAILED for r in report.results):
            response.status_code = 503
            response.headers["Retry-After"] = "2"
        return response

    one.__doc__ = f"The state of {name}."
    return one


def _paths(paths: Iterable[str], endpoint: object, **options: object) -> None:
    for number, path in enumerate(paths):
        router.add_api_route(path, endpoint, methods=["GET"], include_in_schema=number == 0, **options)  # type: ignore[arg-type]
        # Some load balancers ask with HEAD.
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, **options)  # type: ignore[arg-type]


_paths(LIVE, live)
_UNHEALTHY = {503: {"model": HealthBody, "description": "A critical part has failed"}}
_paths(READY, ready, response_model=HealthBody, responses=_UNHEALTHY)
for _path, _name in ONE.items():
    _paths(
        (_path,), _one(_name), response_model=HealthBody, responses=_UNHEALTHY,
        name=f"health_{_path.rsplit('/', 1)[-1]}",
    )  # fmt: skip


def _probe(result: Result) -> ProbeBody:
    return ProbeBody(
        name=result.name,
        state=result.reading.state,
        critical=result.critical,
        milliseconds=round(result.milliseconds, 2),
        detail=result.reading.detail,
        facts=result.reading.facts or {},
    )


@router.get("/api/status/detailed")
async def detailed(request: Request, actor: Annotated[Actor, requires("monitoring:read")]) -> DetailBody:
    """Every probe with its text and numbers."""
    runtime: Runtime = request.app.state.runtime
    report = await runtime.get(Health).check()
    return DetailBody(
        status=_WORDS[report.state],
        timestamp=datetime.now(UTC),
        version=runtime.kernel.app_version or __version__,
        environment=runtime.kernel.environment,
        uptime_seconds=round((runtime.clock.now() - runtime.started_at).total_seconds(), 1),
        probes=[_probe(r) for r in report.results],
    )


@router.get("/health/database/performance")
@router.get("/health/database/pool", include_in_schema=False)
async def database_performance(
    request: Request, actor: Annotated[Actor, requires("system:read")]
) -> ProbeBody:
    """How long a round trip takes and how full the pool is."""
    report = await _health(request).check(["database"])
    return _probe(report.results[0])


async def metrics(request: Request) -> Response:
    """OpenMetrics text, for a scraper with AIHUB_METRICS_TOKEN or a caller with monitoring:read."""
    runtime: Runtime = request.app.state.runtime
    token = runtime.kernel.metrics_token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not (token and scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())):
        try:
            await PermissionCheck("monitoring:read")(request)
        except NotAuthenticated as exc:
            raise NotAuthenticated(
                "Metrics are not public.",
                remedy="Send AIHUB_METRICS_TOKEN as a bearer token, or a key with monitoring:read.",
                headers={"WWW-Authenticate": "Bearer"},
            ) from exc
    return Response(exposition(), media_type=CONTENT_TYPE)


_GUARDED = {status: {"description": "Only for scrapers and monitoring:read"} for status in (401, 403)}
_paths(METRICS, metrics, response_class=Response, responses=_GUARDED)
