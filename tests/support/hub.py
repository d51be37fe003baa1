"""A real hub in its own process, started and stopped as an operator would."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from tests.support.prepared import copy_prepared

from aihub.kernel.postgres import EmbeddedPostgres


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**extra: str) -> dict[str, str]:
    """This process' environment without anything that would configure a hub."""
    keep = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIHUB_", "OPENAI_", "ANTHROPIC_", "DB_", "REDIS_"))
        and name not in ("HOST", "PORT", "DATABASE_URL", "NODE_ENV", "ENVIRONMENT", "PYTHONDONTWRITEBYTECODE")
    }
    return keep | extra


@contextmanager
def temporary_home() -> Iterator[Path]:
    """An empty AIHUB_HOME that the database's account can enter, also when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="aihub-"))
    folder.chmod(0o711)
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_hub(*command: str, **env: str) -> Iterator["Hub"]:
    """A hub without anybody in it, stopped and wiped afterwards."""
    with prepared_hub(*command, **env) as hub:
        yield hub.start()


@contextmanager
def prepared_hub(*command: str, **env: str) -> Iterator["Hub"]:
    """A hub that is not started yet, in a home that has seen a start; ended and wiped afterwards."""
    with temporary_home() as home:
        if "DATABASE_URL" not in env:
            copy_prepared(home)
        hub = Hub(home, env=env, command=command or ("up", "--no-browser"))
        try:
            yield hub
        finally:
            hub.end()


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()
    """Every Set-Cookie header."""

    def json(self) -> object:
        return json.loads(self.body)


@dataclass(frozen=True)
class Person:
    """Somebody with a key of every scope and a browser that is signed in: the headers it sends."""

    email: str
    key: str
    headers: Mapping[str, str]


@dataclass
class Hub:
    """One `aihub` home and the process that serves it. `lines` is everything it printed."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ("up", "--no-browser")
    module: str = "aihub"
    port: int = field(default_factory=free_port)
    lines: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread = field(default_factory=threading.Thread)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        return clean_environment(AIHUB_HOME=str(self.home), PORT=str(self.port), HOST="127.0.0.1", **self.env)

    def start(self, *, wait: float = 120) -> "Hub":
        """Start and wait until it can serve."""
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, *self.command],
            env=self.environment(),
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError("the hub ended:\n" + "\n".join(self.lines[-60:]))
            try:
                if self.get("/health/ready").status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        self.stop()
        raise AssertionError("the hub was not ready:\n" + "\n".join(self.lines[-60:]))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    def stop(self, number: int = signal.SIGTERM, wait: float = 60) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(wait)
        self.reader.join(5)
        return code

    def end(self, patience: float = 3) -> None:
        """Stop a hub that nobody needs any more: what it still has under way is hurried, then killed."""
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(subprocess.TimeoutExpired):
                self.stop(number, patience)
                return
            patience = 30
        self.kill()
        EmbeddedPostgres(self.home).stop(force=True)

    def kill(self) -> None:
        """kill -9 of the serving process only; what it started stays for the next start to deal with."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        # Children that outlive it hold the pipe; the reader ends with them.
        self.reader.join(0.2)

    def setup_token(self) -> str:
        """The one-time token that the first start printed."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for line in self.lines:
                if found := re.search(r"/setup#token=([\w\-]+)", line):
                    return found.group(1)
            time.sleep(0.02)
        raise AssertionError("no setup link was printed:\n" + "\n".join(self.lines[-40:]))

    def cli(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run another `aihub` command against the same home; its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "aihub", *arguments],
            env=self.environment(),
            cwd=self.home.parent,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"aihub {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        timeout: float = 60,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One HTTP request with an API key; errors are answers, not exceptions."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                cookies = tuple(response.headers.get_all("Set-Cookie", ()))
                return Answer(response.status, dict(response.headers), response.read(), cookies)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def get(self, path: str, *, key: str | None = None) -> Answer:
        return self.request("GET", path, key=key, timeout=30)

    def post(self, path: str, body: object, *, key: str | None = None) -> Answer:
        return self.request("POST", path, body, key=key)

    def set_up(self, email: str = "ada@example.org", password: str = "correct horse battery") -> Person:
        """The first super_admin, made with the link that `up` printed."""
        made = {"token": self.setup_token(), "email": email, "name": "", "password": password}
        return self._signed_in(email, self.post("/api/v1/setup", made))

    def person(
        self, admin: Person, email: str, password: str, *, role: str = "user", name: str = ""
    ) -> Person:
        """Somebody whom this administrator made, and who signed in."""
        made = {"email": email, "name": name, "password": password, "roles": [role]}
        answer = self.request("POST", "/api/v1/users", made, headers=admin.headers)
        assert answer.status == 201, answer.body
        return self._signed_in(email, self.post("/api/v1/session", {"email": email, "password": password}))

    def _signed_in(self, email: str, answer: Answer) -> Person:
        assert answer.status in (200, 201), answer.body
        session: Any = answer.json()
        cookies = "; ".join(cookie.partition(";")[0] for cookie in answer.cookies)
        headers = {"Cookie": cookies, "X-CSRF-Token": str(session["csrf_token"])}
        made: Any = self.request("POST", "/api/v1/keys", {"name": "tests", "scopes": ["*"]}, headers=headers)
        assert made.status == 201, made.body
        return Person(email, str(made.json()["key"]), headers)

    def connect(self, admin: Person, url: str, *models: str, **prices: str) -> str:
        """A scripted provider and models of it, each named by its script; the provider's id."""
        body = {
            "name": "Scripted",
            "kind": "openai",
            "base_url": url,
            "api_key": "sk-x",
            "allow_private": True,
        }
        answer: Any = self.post("/api/v1/providers", body, key=admin.key)
        assert answer.status == 201, answer.body
        number = str(answer.json()["id"])
        for model in models:
            names = {"name": model, "upstream_name": model, "provider_id": number}
            made = self.post("/api/v1/models", names | prices, key=admin.key)
            assert made.status == 201, made.body
        return number

    def sql(self, statement: str, *values: object) -> Any:
        """Run a statement as the superuser of its database; the first value of its answer, if it has one."""
        postgres = EmbeddedPostgres(self.home)
        postgres.attach()
        with psycopg.connect(postgres.dsn("superuser"), autocommit=True) as connection:
            cursor = connection.execute(statement, values)  # type: ignore[call-overload]
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def create_admin(self, email: str = "ada@example.org", password: str = "correct horse battery") -> str:
        """A super_admin made on the command line, and an API key of theirs with every scope."""
        self.cli(
            "user", "create", "--email", email, "--role", "super_admin", "--password-stdin", stdin=password
        )
        out = self.cli("key", "create", "--email", email, "--name", "tests", "--scopes", "*", "--json")
        return str(json.loads(out)["key"])
