"""Bring an installation up: database, schema, parts, first data; then serve until told to stop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import uvicorn

from aihub.app.alone import NeedsRedis, alone_or_with_redis
from aihub.app.build import create_app
from aihub.app.database import MIGRATIONS, Addresses, Say, reach_database
from aihub.app.modules import MODULES
from aihub.app.siblings import keep_siblings
from aihub.app.stopping import Stop, stop_signals
from aihub.app.targets import ALL, Target
from aihub.kernel.config import KernelSettings
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import database as db
from aihub.kernel.db import migrate, system
from aihub.kernel.errors import AihubError
from aihub.kernel.http.protocol import HttpProtocol
from aihub.kernel.jobs.runner import JobRunner
from aihub.kernel.runtime import Runtime
from aihub.kernel.settings import Settings
from aihub.kernel.telemetry import logs
from aihub.services.gateway.service import seed_catalogue
from aihub.services.identity.service import check_second_factor_roles, ensure_setup_link, sync_registry
from aihub.services.identity.service.federation import seed_provider
from aihub.services.identity.settings import IdentitySettings

log = logs.get_logger("aihub.start")

_LAST_REQUESTS = 7
"""Seconds that requests under way get when the hub stops; jobs get as long, side by side."""


class AddressInUse(AihubError):
    code = "serve.address_in_use"
    title = "Something else already listens on this address"
    remedy = "Stop it, or choose another port: PORT=8001 aihub up."


class PartEnded(AihubError):
    code = "serve.part_ended"
    title = "A part of the hub ended that it cannot do without, so the hub stopped"
    remedy = "Start it again. If it happens again, report the last lines of the log."


@contextlib.asynccontextmanager
async def open_runtime(
    settings: Settings, addresses: Addresses, duties: frozenset[str], *, pool_size: int | None = None
) -> AsyncIterator[Runtime]:
    """A started runtime on a database that is known to have this version's schema."""
    kernel = settings[KernelSettings]
    database = db.connect(addresses.app, kernel, pool_size=pool_size)
    runtime = Runtime(settings, database, MODULES, duties=duties)
    runtime.schema_revision = await asyncio.to_thread(migrate.latest, MIGRATIONS)
    try:
        await database.ping()  # what is wrong with the role is said before a part stumbles over it
        await runtime.start()
        yield runtime
    finally:
        await runtime.close()


async def prepare_schema(addresses: Addresses, say: Say) -> None:
    """Bring the schema up to date, saying each step."""
    await asyncio.to_thread(
        migrate.upgrade,
        MIGRATIONS,
        addresses.owner,
        progress=lambda step: say(f"Applying database revision {step}"),
    )


def bind(host: str, port: int) -> socket.socket:
    """The listening socket, taken before anything slow, so that a clash shows at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio sends each piece at once: without, the second part of an answer
    # waits up to 40 ms for the acknowledgement of the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise AddressInUse(f"{host}:{port}: {exc.strerror}") from exc
    return listener


async def first_data(runtime: Runtime) -> str | None:
    """Roles, permissions and the first models; the one-time setup token while nobody administers."""
    async with runtime.database.work(system("start: registry")) as work:
        await sync_registry(work, runtime.modules)
        # A misspelt role would ask nobody for a second factor, and say nothing.
        await check_second_factor_roles(work, runtime.settings[IdentitySettings].second_factor_roles)
    async with runtime.database.work(system("start: catalogue")) as work:
        await seed_catalogue(work, runtime)
    async with runtime.database.work(system("start: sign-in provider")) as work:
        await seed_provider(work, runtime.get(Crypto), runtime.settings[IdentitySettings])
    async with runtime.database.work(system("start: setup link")) as work:
        return await ensure_setup_link(work)


@dataclass(frozen=True, slots=True)
class Started:
    """What a person wants to know once the hub answers."""

    url: str
    setup_url: str | None


async def run(
    settings: Settings,
    *,
    targets: Sequence[Target] = (ALL,),
    inherited: socket.socket | None = None,
    migrate_first: bool,
    worker: bool,
    embedded: bool,
    say: Say,
    ready: Callable[[Started], None],
) -> None:
    """Run one process of the hub until SIGTERM, SIGINT or SIGHUP; returns after a clean stop.

    `migrate_first` brings the schema up to date (the one-command start); otherwise a schema that does
    not match refuses the start. `inherited` is the socket of the process this one is a sibling of;
    without it, a process that serves HTTP takes its own and starts WORKERS - 1 siblings. Raises
    KeyboardInterrupt when it was told to stop a second time.
    """
    kernel = settings[KernelSettings]
    http = [t for t in targets if t.modules is None or t.modules]
    if http and kernel.workers > 1 and kernel.redis() is None:
        raise NeedsRedis()
    duties = {"http"} if http else set()
    duties |= {"worker"} if worker else set()
    duties |= {"embedded"} if embedded else set()
    with contextlib.ExitStack() as stack:
        listener = inherited or (bind(kernel.host, kernel.port) if http else None)
        if listener is not None:
            stack.enter_context(listener)
        logs.configure(kernel)
        stop = stack.enter_context(stop_signals())
        try:
            async with reach_database(kernel, say) as addresses:
                if migrate_first:
                    await prepare_schema(addresses, say)
                else:
                    await asyncio.to_thread(migrate.require_current, MIGRATIONS, addresses.app)
                async with contextlib.AsyncExitStack() as within:
                    if http:
                        have_redis = kernel.redis() is not None
                        await within.enter_async_context(alone_or_with_redis(addresses.app, redis=have_redis))
                    runtime = await within.enter_async_context(
                        open_runtime(settings, addresses, frozenset(duties))
                    )
                    token = await first_data(runtime) if inherited is None else None
                    siblings = kernel.workers - 1 if inherited is None else 0
                    await _serve(runtime, http, listener, siblings, stop, token, ready)
        except asyncio.CancelledError:
            if stop.forced:
                raise KeyboardInterrupt from None
            if not stop.wanted.is_set():
                raise
        except BaseExceptionGroup as group:
            raise _cause(group) from group


async def _serve(
    runtime: Runtime,
    http: Sequence[Target],
    listener: socket.socket | None,
    siblings: int,
    stop: Stop,
    token: str | None,
    ready: Callable[[Started], None],
) -> None:
    kernel = runtime.kernel
    async with asyncio.TaskGroup() as group:

        def essential(name: str, work: Awaitable[None]) -> None:
            group.create_task(without_end(name, work, stop), name=name)

        runner = None
        if "worker" in runtime.duties:
            runner = JobRunner(runtime, [j for m in runtime.modules for j in m.jobs], grace=_LAST_REQUESTS)
            essential("jobs", runner.run())
        server: _Server | None = None
        url = kernel.base_url()
        if listener is not None:
            server = _Server(
                uvicorn.Config(
                    create_app(runtime, http),
                    http=HttpProtocol,
                    ws="none",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    lifespan="off",
                    timeout_graceful_shutdown=_LAST_REQUESTS,
                    timeout_keep_alive=30,
                    backlog=2048,
                )
            )
            essential("http", server.serve(sockets=[listener.dup()]))
            await server.is_up.wait()
            if kernel.port == 0 and kernel.public_url is None:
                host, port = listener.getsockname()[:2]
                url = f"http://{host}:{port}"
            if siblings:
                essential("siblings", keep_siblings(siblings, listener, http, stop.wanted))
        stop.serving = True
        ready(Started(url, f"{url}/setup#token={token}" if token else None))
        await stop.wanted.wait()
        log.info("stopping")
        runtime.stopping.set()
        if server:
            server.should_exit = True
        if listener is not None:
            listener.close()
        if runner:
            await runner.close()


async def without_end(name: str, work: Awaitable[None], stop: Stop) -> None:
    """Await what must last until the hub is told to stop. Raises PartEnded when it does not."""
    try:
        await work
    except AihubError:
        raise
    except Exception as exc:  # the edge of the process: one line for people, the rest in the log
        log.exception("a part of the hub failed", part=name)
        raise PartEnded(f"{name}: {type(exc).__name__}: {exc}") from exc
    if not stop.wanted.is_set():
        raise PartEnded(f"{name}: it ended by itself.")


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error to show out of several that happened side by side."""
    leaves = [
        e
        for error in group.exceptions
        for e in ([_cause(error)] if isinstance(error, BaseExceptionGroup) else [error])
    ]
    return next((e for e in leaves if isinstance(e, AihubError)), leaves[0])


class _Server(uvicorn.Server):
    """Leaves the signals to `run`, which stops more than the HTTP server, and says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except OSError as exc:  # two that bound the same address at the same time: one may listen
            raise AddressInUse(str(exc)) from exc
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # the base class is untyped here
        yield
