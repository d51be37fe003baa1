"""Our own launcher: start, adopt, share and stop one PostgreSQL server per home."""

import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal, Self
from urllib.parse import quote

import psycopg

from aihub.kernel.postgres import cluster, config, processes, roles
from aihub.kernel.postgres.account import Account, choose
from aihub.kernel.postgres.binaries import Binaries, forget_copies, locate
from aihub.kernel.postgres.errors import NotRunning, StartCancelled, StartFailed
from aihub.kernel.postgres.files import write_file
from aihub.kernel.postgres.launch import Launcher
from aihub.kernel.postgres.layout import Layout
from aihub.kernel.postgres.locks import Usage, exclusive

Role = Literal["owner", "app", "superuser"]
_ROLES: Mapping[Role, str] = {"owner": roles.OWNER, "app": roles.LOGIN, "superuser": roles.SUPERUSER}
_NOTHING: Mapping[str, str] = MappingProxyType({})
_LOCK_SECONDS = 180


def _silent(_message: str) -> None:
    return


class EmbeddedPostgres:
    """The PostgreSQL server of one home, reached over its UNIX socket only.

    Every `start` in any process joins the users of the one server; the last to `stop` ends it. After
    kill -9 of its users the server lives on and the next `start` adopts it. Methods block; call them
    from asyncio through `asyncio.to_thread`. Safe to use from several threads.
    """

    def __init__(
        self, home: Path, *, max_connections: int = 120, extra_settings: Mapping[str, str] = _NOTHING
    ) -> None:
        self._layout = Layout(home.expanduser().absolute().resolve())
        self._launcher = Launcher(self._layout)
        self._max_connections = max_connections
        self._extra = dict(extra_settings)
        self._mutex = threading.Lock()
        self._called_off = threading.Event()
        self._usage: Usage | None = None
        self._socket_folder: Path | None = None
        self._started_in: int | None = None

    # ------------------------------------------------------------------ what others ask

    def dsn(self, role: Role = "app") -> str:
        """A libpq URL: 'owner' runs migrations, 'app' is what processes use, 'superuser' repairs.

        The same until the home moves, also across restarts. Raises NotRunning before start or attach.
        """
        if self._socket_folder is None:
            raise NotRunning()
        password = self._layout.password(role)
        if password is None:
            raise NotRunning(
                f"The password of {_ROLES[role]} is missing from {self._layout.secrets}.",
                remedy="Stop the hub and start it again: a start makes and sets the missing passwords.",
            )
        host = quote(str(self._socket_folder), safe="")
        return f"postgresql://{_ROLES[role]}:{quote(password, safe='')}@/{roles.DATABASE}?host={host}"

    def running(self) -> bool:
        """Whether the server is alive and accepts connections now."""
        found = processes.find_postmaster(self._layout.data)
        return found is not None and found.ready

    @property
    def pid(self) -> int | None:
        """The server's process id, None when it does not run."""
        found = processes.find_postmaster(self._layout.data)
        return None if found is None else found.pid

    # ------------------------------------------------------------------ start

    def start(self, progress: Callable[[str], None] | None = None) -> None:
        """Make the server run and join its users. Does nothing when it runs already.

        Creates the database in an empty home, adopts a server whose users were killed, shares one
        that others use. Raises PostgresError.
        """
        say = progress or _silent
        with self._mutex:
            account = choose(self._layout.home, self._layout.data)
            self._layout.create_base(account)
            with exclusive(self._layout.start_lock, _LOCK_SECONDS, self._check_called_off):
                self._layout.prepare(account)
                usage = self._usage or Usage(self._layout.usage_lock)
                usage.enter()
                complete = False
                try:
                    self._make_run(usage, account, say)
                    complete = True
                except OSError as exc:
                    raise StartFailed(f"{exc.filename or 'The system'}: {exc.strerror}.") from exc
                finally:
                    if not complete:
                        self._launcher.abandon()
                        if self._usage is None:
                            usage.leave()
                if self._usage is None:
                    self._usage = usage
                    self._started_in = os.getpid()
                    atexit.register(self._at_exit)

    def _make_run(self, usage: Usage, account: Account, say: Callable[[str], None]) -> None:
        layout = self._layout
        found = processes.find_postmaster(layout.data)
        if found is not None and (self._usage is not None or usage.others()):
            self._wait_until_ready(found.pid, say)
            return
        binaries = locate(account, layout.base)
        if cluster.is_new(layout.data):
            say("Creating the database")
            cluster.create(layout.data, account, binaries, layout.make_password("superuser"))
        cluster.judge(layout.data, binaries)
        stale = self._stale_configuration(account, binaries)
        if found is not None and (stale or found.stopping):
            say("Restarting the database with the installed version and settings")
            self._launcher.terminate(found.pid)
            found = None
        for path, text in stale.items():
            write_file(path, text, mode=0o640, uid=layout.base.stat().st_uid, gid=account.gid)
        if found is None:
            say("Starting the database")
            self._launch(account, binaries, say)
        else:
            say("Taking over the running database")
            self._wait_until_ready(found.pid, say)
        self._ensure_roles(account, binaries, say)
        forget_copies(layout.base, binaries)
        self.prune_logs()

    def _stale_configuration(self, account: Account, binaries: Binaries) -> dict[Path, str]:
        """The configuration files that differ from what the last start wrote, with their new text."""
        layout = self._layout
        parameters = config.settings(
            data=layout.data,
            hba=layout.hba,
            sockets=layout.socket_folder(account),
            logs=layout.logs,
            max_connections=self._max_connections,
            extra=self._extra,
        )
        programs = f"PostgreSQL {binaries.version} in {binaries.folder}"
        wanted = {
            layout.hba: config.HBA,
            layout.configuration: config.render(parameters, layout.custom, programs),
        }
        return {
            path: text
            for path, text in wanted.items()
            if not path.is_file() or path.read_text("utf-8", "replace") != text
        }

    def _launch(self, account: Account, binaries: Binaries, say: Callable[[str], None]) -> None:
        self._wait_until_ready(self._launcher.launch(account, binaries), say)

    def _wait_until_ready(self, pid: int, say: Callable[[str], None]) -> None:
        self._socket_folder = self._launcher.wait_until_ready(pid, say, self._check_called_off)

    def _ensure_roles(self, account: Account, binaries: Binaries, say: Callable[[str], None]) -> None:
        passwords = {
            name: self._layout.make_password(role) for role, name in _ROLES.items() if role != "superuser"
        }
        superuser_password = self._layout.make_password("superuser")
        try:
            roles.ensure(self.dsn("superuser"), passwords)
        except psycopg.OperationalError as exc:
            if "password authentication failed" not in str(exc):
                raise StartFailed(str(exc)) from exc
        except psycopg.Error as exc:
            raise StartFailed(str(exc)) from exc
        else:
            return
        say("Restoring the database passwords")
        found = processes.find_postmaster(self._layout.data)
        if found is not None:
            self._launcher.terminate(found.pid)
        cluster.reset_superuser(
            self._layout.data,
            account,
            binaries,
            self._layout.configuration,
            roles.verifier(superuser_password),
        )
        self._launch(account, binaries, say)
        try:
            roles.ensure(self.dsn("superuser"), passwords)
        except psycopg.Error as exc:
            raise StartFailed(str(exc)) from exc

    def prune_logs(self, keep_days: int = 14) -> None:
        """Remove the server's log files that are older than `keep_days`. Every start does it too."""
        oldest = time.time() - keep_days * 86400
        for log in self._layout.logs.glob("postgresql-*.log"):
            if log.lstat().st_mtime < oldest:
                log.unlink(missing_ok=True)

    def _check_called_off(self) -> None:
        if self._called_off.is_set():
            raise StartCancelled()

    # ------------------------------------------------------------------ attach

    def attach(self, seconds: float = 30) -> None:
        """Use a server that others keep running, without becoming one of its users.

        Waits up to `seconds` for one that is just starting. Raises NotRunning, NotPermitted.
        """
        deadline = time.monotonic() + seconds
        while True:
            found = processes.find_postmaster(self._layout.data)
            if found is None:
                raise NotRunning()
            if found.ready:
                break
            if time.monotonic() > deadline:
                raise NotRunning(f"It was not ready after {seconds:.0f} seconds.")
            time.sleep(0.02)
        # Whoever starts it may still be making the roles.
        with exclusive(self._layout.start_lock, seconds, _nothing):
            self._socket_folder = found.socket_folder

    # ------------------------------------------------------------------ stop

    def stop(self, *, force: bool = False) -> None:
        """Leave the server, and end it when nobody else uses it; `force` ends it in any case.

        Calls off a start that another thread is in. Does nothing when this object never started it.
        Raises StopFailed, Busy.
        """
        self._called_off.set()
        with self._mutex:
            self._called_off.clear()
            usage, self._usage = self._usage, None
            if usage is None and not force:
                return
            if usage is not None:
                atexit.unregister(self._at_exit)
            try:
                if self._layout.base.is_dir():
                    with exclusive(self._layout.start_lock, _LOCK_SECONDS, _nothing):
                        self._leave(usage, force=force)
            finally:
                if usage is not None:
                    usage.leave()

    def _leave(self, usage: Usage | None, *, force: bool) -> None:
        if usage is not None and not force and usage.others():
            return
        found = processes.find_postmaster(self._layout.data)
        if found is not None:
            self._launcher.terminate(found.pid)
            self._layout.forget_socket_folder(found.socket_folder)

    def _at_exit(self) -> None:
        # A forked child that leaves through sys.exit must not stop its parent's server.
        if self._started_in == os.getpid():
            self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _nothing() -> None:
    return
