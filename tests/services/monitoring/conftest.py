"""A hub on a PostgreSQL that the tests can stop, with a provider that counts what it is asked."""

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from tests.support.hub import Hub, running_hub

from aihub.kernel.postgres import EmbeddedPostgres

TOKEN = "scrape-7f3kd92mx81bq05zt64w"


@dataclass
class Provider:
    """An OpenAI-compatible provider that fails while `down`, and counts."""

    down: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""


@dataclass(frozen=True)
class Site:
    """The hub, what it stands on, and keys of three people."""

    hub: Hub
    database: EmbeddedPostgres
    dsn: str
    provider: Provider
    admin: str
    user: str


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.asked.append(self.path)
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = {"error": {"message": "out of order"}} if state.down else _COMPLETION
            body = json.dumps(answer).encode()
            self.send_response(500 if state.down else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


_COMPLETION = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "plain",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@pytest.fixture(scope="session")
def site(provider: Provider) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="aihub-health-", dir="/tmp"))
    database = EmbeddedPostgres(folder, extra_settings={"fsync": "off"})
    database.start()
    try:
        with psycopg.connect(database.dsn("superuser"), autocommit=True) as connection:
            for extension in ("vector", "pg_trgm"):
                connection.execute(f"create extension if not exists {extension}")
        with running_hub(
            AIHUB_EMBEDDED="false", DATABASE_URL=database.dsn("owner"), AIHUB_METRICS_TOKEN=TOKEN
        ) as hub:
            admin = hub.create_admin()
            hub.cli(
                "user",
                "create",
                "--email",
                "bob@example.org",
                "--password-stdin",
                stdin="bob likes long ones",
            )
            made = hub.cli(
                "key", "create", "--email", "bob@example.org", "--name", "b", "--scopes", "*", "--json"
            )
            hub.cli(
                "model", "add", "--provider", "openai", "--base-url", provider.url, "--name", "plain",
                "--allow-private", "--api-key-stdin", stdin="sk-upstream-secret-value",
            )  # fmt: skip
            user = json.loads(made)["key"]
            yield Site(hub, database, database.dsn("superuser"), provider, admin, user)
    finally:
        database.stop(force=True)
        shutil.rmtree(folder, ignore_errors=True)
