"""Who is counted at the edge when nobody could look at their credentials."""

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from aihub.kernel.http.edge import EdgeLimits
from aihub.kernel.limit_counters import MemoryCounters
from aihub.kernel.limits import Limiter, Policy

POLICIES = {name: Policy(name, 3, 3600) for name in ("edge.api", "edge.auth", "api.general")}


def _answering(status: int, *, known: bool) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if known:
            scope.setdefault("state", {})["actor"] = object()
        await PlainTextResponse("", status)(scope, receive, send)

    return EdgeLimits(app, Limiter(MemoryCounters(), POLICIES), "cookie", (), (), {})


@pytest.mark.parametrize(
    ("status", "known", "counted"),
    [
        (200, True, False), (404, True, False), (200, False, True), (404, False, True), (401, False, True),
        (400, False, False), (413, False, False), (500, False, False), (503, False, False),
    ],
)  # fmt: skip
async def test_only_who_turns_out_to_be_nobody_is_counted(status: int, known: bool, counted: bool) -> None:
    transport = httpx2.ASGITransport(_answering(status, known=known))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
        answers = [await client.get("/api/v1/x", headers={"Authorization": "Bearer x"}) for _ in range(5)]
    assert [a.status_code for a in answers[:3]] == [status] * 3
    assert answers[-1].status_code == (429 if counted else status)
