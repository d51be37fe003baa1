"""Health is measured, the same behind every address, and says to strangers no more than states."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.services.monitoring.conftest import TOKEN, Site

from aihub.kernel.config import KernelSettings
from aihub.kernel.health import Health, Probe, Reading, State
from aihub.kernel.runtime import Runtime
from aihub.services.monitoring import routes

pytestmark = pytest.mark.xdist_group("monitoring")

STATES = {"connected", "degraded", "disconnected", "not_configured"}
READY = (
    "/health", "/health/ready", "/ready", "/auth/health", "/core/health", "/mcp/health", "/health/overall",
    "/api/health", "/api/status/health",
)  # fmt: skip
LIVE = ("/health/live", "/live")
METRICS = (
    "/metrics", "/api/metrics", "/auth/metrics", "/core/metrics", "/mcp/metrics", "/webhook/metrics",
    "/api/status/metrics",
)  # fmt: skip


def wait(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.1)


def body(site: Site, path: str) -> dict[str, Any]:
    found: Any = site.hub.get(path).json()
    assert isinstance(found, dict)
    return found


def test_the_lists_of_this_file_are_the_routes() -> None:
    assert set(READY) == set(routes.READY)
    assert set(LIVE) == set(routes.LIVE)
    assert set(METRICS) == set(routes.METRICS)


@pytest.mark.parametrize("path", [*READY, *LIVE, "/health/database", "/api/health/db", "/api/health/ai"])
def test_a_healthy_hub_answers_with_state_time_and_parts(site: Site, path: str) -> None:
    answer = site.hub.get(path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    found = body(site, path)
    assert set(found) == {"status", "timestamp", "services"}
    assert found["status"] == "healthy"
    assert abs(datetime.fromisoformat(found["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert set(found["services"].values()) <= STATES
    assert site.hub.request("HEAD", path).status == 200


def test_every_documented_address_reports_the_same_parts(site: Site) -> None:
    for path in READY:
        services = body(site, path)["services"]
        assert set(services) == {"audit", "database", "migrations", "cache", "ai", "openai"}, path
        assert services["database"] == "connected"
        assert services["cache"] == "not_configured"
        assert services["ai"] == services["openai"]
    assert set(body(site, "/health/database")["services"]) == {"database"}
    assert set(body(site, "/api/health/ai")["services"]) == {"ai", "openai"}


def test_details_are_for_those_who_may_see_them(site: Site) -> None:
    for path in ("/api/status/detailed", "/health/database/performance", "/health/database/pool"):
        assert site.hub.get(path).status == 401
        assert site.hub.get(path, key=site.user).status == 403
        assert site.hub.get(path, key=site.admin).status == 200
    detail: Any = site.hub.get("/api/status/detailed", key=site.admin).json()
    assert {p["name"] for p in detail["probes"]} == {"audit", "database", "migrations", "cache", "ai"}
    database = next(p for p in detail["probes"] if p["name"] == "database")
    assert database["facts"]["limit"] == 50
    assert database["milliseconds"] > 0
    assert detail["uptime_seconds"] > 0


def test_a_role_given_in_sql_opens_monitoring_and_losing_it_closes_it(site: Site) -> None:
    assert site.hub.get("/api/status/detailed", key=site.user).status == 403
    given = (
        "insert into user_roles (user_id, role_id) select u.id, r.id from users u, roles r "
        "where u.email = 'bob@example.org' and r.name = 'manager'"
    )
    with psycopg.connect(site.dsn, autocommit=True) as connection:
        connection.execute(given)
        wait(lambda: site.hub.get("/api/status/detailed", key=site.user).status == 200)
        connection.execute("delete from user_roles using roles r where role_id = r.id and r.name = 'manager'")
        wait(lambda: site.hub.get("/api/status/detailed", key=site.user).status == 403)


def test_health_answers_ask_no_provider(site: Site) -> None:
    before = list(site.provider.asked)
    for _ in range(5):
        for path in (*READY, "/api/health/ai"):
            site.hub.get(path)
        site.hub.get("/api/status/detailed", key=site.admin)
    assert site.provider.asked == before


def test_a_dead_provider_degrades_and_does_not_take_the_hub_out(site: Site) -> None:
    call = {"model": "plain", "messages": [{"role": "user", "content": "hello"}]}
    assert site.hub.post("/v1/chat/completions", call, key=site.admin).status == 200
    site.provider.down = True
    try:
        assert site.hub.post("/v1/chat/completions", call, key=site.admin).status == 502
        wait(lambda: site.hub.get("/api/health/ai").status == 503)
        ready = site.hub.get("/health/ready")
        assert ready.status == 200
        assert body(site, "/health")["status"] == "degraded"
        assert body(site, "/health")["services"]["openai"] in ("degraded", "disconnected")
        assert b"out of order" not in site.hub.get("/api/health/ai").body
    finally:
        site.provider.down = False
    assert site.hub.post("/v1/chat/completions", call, key=site.admin).status == 200
    wait(lambda: site.hub.get("/api/health/ai").status == 200)


def test_metrics_are_openmetrics_for_scrapers_and_those_who_may(site: Site) -> None:
    site.hub.get("/api/v1/users", key=site.admin)
    for path in METRICS:
        assert site.hub.get(path).status == 401, path
        assert site.hub.get(path, key="scrape-wrong").status == 401
        assert site.hub.get(path, key=site.user).status == 403
        assert site.hub.get(path, key=site.admin).status == 200
        answer = site.hub.get(path, key=TOKEN)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        families = {f.name: f for f in text_string_to_metric_families(answer.body.decode())}
        counted = families["http_requests"].samples
        assert any(
            s.labels["route"] == "/api/v1/users" and s.labels["status"] == "200" and s.value >= 1
            for s in counted
        )
        bounds = {
            s.labels["le"] for s in families["http_request_duration_seconds"].samples if "le" in s.labels
        }
        assert {"0.5", "1.0", "2.0", "5.0"} <= bounds


def test_a_stopped_database_is_told_and_forgotten_when_it_is_back(site: Site) -> None:
    site.database.stop(force=True)
    try:
        wait(lambda: site.hub.get("/health/ready").status == 503)
        for path in READY:
            answer = site.hub.get(path)
            assert answer.status == 503, path
            assert int(answer.headers["retry-after"]) > 0
            found = body(site, path)
            assert found["status"] == "unhealthy"
            assert found["services"]["database"] == "disconnected"
            assert set(found["services"].values()) <= STATES
            for word in (b"refused", b"psycopg", b"Error", b"socket", b"Traceback"):
                assert word not in answer.body
        for path in LIVE:
            assert site.hub.get(path).status == 200
        assert site.hub.get("/health/database").status == 503
        refused: Any = site.hub.get("/api/v1/users", key=site.admin)
        assert refused.status == 503
        assert refused.json()["code"] == "database.unavailable"
    finally:
        site.database.start()
    wait(lambda: site.hub.get("/health/ready").status == 200)
    wait(lambda: site.hub.get("/api/v1/users", key=site.admin).status == 200)


# ---------------------------------------------------------------- the registry itself


async def test_a_probe_is_asked_once_while_its_answer_is_kept(runtime: Runtime) -> None:
    asked = []

    async def slow(_: Runtime) -> Reading:
        asked.append(1)
        await asyncio.sleep(0.05)
        return Reading(State.OK)

    health = Health(runtime, [Probe("slow", slow, keep=60)])
    await asyncio.gather(*(health.check() for _ in range(50)))
    assert len(asked) == 1


async def test_probes_that_hang_or_break_have_failed(runtime: Runtime) -> None:
    async def hangs(_: Runtime) -> Reading:
        await asyncio.sleep(60)
        return Reading(State.OK)

    async def breaks(_: Runtime) -> Reading:
        raise RuntimeError("wires crossed")

    probes = [Probe("hangs", hangs, critical=True, timeout=0.05), Probe("breaks", breaks)]
    report = await Health(runtime, probes).check()
    assert report.state is State.FAILED
    hanging, broken = (r.reading for r in report.results)
    assert hanging.detail == "no answer within 0.05 s"
    assert "wires crossed" in broken.detail
    assert (await Health(runtime, probes[1:]).check()).state is State.DEGRADED
    assert isinstance(runtime.kernel, KernelSettings)
