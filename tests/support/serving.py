"""Applications on real sockets in the test's own event loop, made and ended without waiting."""

import asyncio
import contextlib
import copy
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import State
from tests.support.waiting import until

from aihub.app import build
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime

_GRACE = 5.0  # seconds for answers under way when a server ends
_assembled: dict[tuple[int, ...], tuple[Sequence[Module], FastAPI]] = {}


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """`app` on a free loopback port; its address."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", proxy_headers=False, backlog=2048
        )
        config.load()
        server = _Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        await server.on_tick(0)  # the headers that every answer has
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.shutdown()


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, without its naps."""
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # those without a request under way are gone
        with contextlib.suppress(AssertionError):
            await until(lambda: not state.connections and not state.tasks, _GRACE)
        for task in state.tasks:
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)


def application(runtime: Runtime) -> FastAPI:
    """The application of a runtime. The routes of the same modules are built once for all tests."""
    with patch.object(build, "assemble", _assemble):
        return build.create_app(runtime)


def _assemble(modules: Sequence[Module], whole: Any = build.assemble) -> FastAPI:
    key = tuple(map(id, modules))
    if key not in _assembled:
        _assembled[key] = (tuple(modules), whole(modules))
    origin = _assembled[key][1]
    app = copy.copy(origin)
    app.state = State()
    app.user_middleware = []
    app.exception_handlers = dict(origin.exception_handlers)
    app.router = copy.copy(origin.router)
    app.router.routes = list(origin.router.routes)
    return app
