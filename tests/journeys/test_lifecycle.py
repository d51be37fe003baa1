"""A hub's life as operators see it: start, stop, be killed, be several processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from tests.support.ease import slowness
from tests.support.hub import Hub, free_port, prepared_hub, running_hub, temporary_home
from tests.support.processes import children, processes_in
from tests.support.upstream import Upstream
from tests.support.valkey import Valkey
from tests.support.weights import cached_weights, link_weights

from aihub.app.start import PartEnded, without_end
from aihub.app.stopping import Stop
from aihub.kernel.postgres import EmbeddedPostgres
from aihub.kernel.postgres.locks import exclusive
from aihub.services.gateway.adapters.embedded.weights import SMOLLM2

OFF = {"AIHUB_EMBEDDED": "off"}


@contextmanager
def new_hub(*command: str, env: Mapping[str, str] = OFF) -> Iterator[Hub]:
    """A hub that is not started yet, in an empty home."""
    with temporary_home() as home:
        hub = Hub(home, env=dict(env), command=command or ("up", "--no-browser"))
        try:
            yield hub
        finally:
            hub.end()


def another(hub: Hub, *command: str, port: int | None = None, **env: str) -> Hub:
    """A second process on the same home."""
    return Hub(hub.home, env={**hub.env, **env}, command=command or hub.command, port=port or free_port())


def refused(hub: Hub, *command: str) -> str:
    """What `aihub` says while it ends with code 1."""
    done = subprocess.run(
        [sys.executable, "-m", "aihub", *command],
        env=hub.environment(),
        cwd=hub.home.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def wait_for(true: Callable[[], object], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def seconds(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def ask(hub: Hub, key: str, model: str) -> dict[str, Any]:
    """Ask in a new conversation."""
    made: Any = hub.post("/api/v1/conversations", {}, key=key).json()
    path = f"/api/v1/conversations/{made['id']}/messages"
    answer = hub.post(path, {"text": "Go on", "model": model}, key=key)
    assert answer.status == 202, answer.body
    told: dict[str, Any] = answer.json()  # type: ignore[assignment]
    return told


def message_of(hub: Hub, key: str, told: dict[str, Any]) -> dict[str, Any]:
    detail: Any = hub.get(f"/api/v1/conversations/{told['run']['conversation_id']}", key=key).json()
    return next(m for m in detail["messages"] if m["id"] == told["assistant_message"]["id"])


def open_stream(hub: Hub, key: str, told: dict[str, Any]) -> Any:
    request = urllib.request.Request(f"{hub.url}/api/v1/runs/{told['run']['id']}/stream")
    request.add_header("Authorization", f"Bearer {key}")
    return urllib.request.urlopen(request, timeout=60)


def text_of(stream: bytes) -> str:
    chunks = (json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: {"))
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "text-delta")


def test_starts_are_quick_and_a_stop_leaves_nothing_running() -> None:
    with prepared_hub(**OFF) as hub:
        hub.start()
        starts = []
        assert processes_in(hub.home.parent)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            took = seconds(lambda number=number: hub.stop(number))  # type: ignore[misc]
            assert hub.process is not None
            assert hub.process.returncode == 0
            assert took < 20 * slowness()
            assert processes_in(hub.home.parent) == {}
            starts.append(seconds(hub.start))
        again = min(starts)
        assert again < 5 * slowness(), f"a second start took {again:.1f} s"
        print(f"start {again:.1f} s, stop {took:.1f} s")


def test_kill_9_leaves_a_database_that_the_next_start_takes_over() -> None:
    with running_hub(**OFF) as hub:
        key = hub.set_up().key
        before = EmbeddedPostgres(hub.home).pid
        hub.kill()
        assert EmbeddedPostgres(hub.home).pid == before
        hub.start()
        assert EmbeddedPostgres(hub.home).pid == before
        assert any("Taking over" in line for line in hub.lines)
        assert hub.get("/api/v1/credits", key=key).status == 200


def test_a_signal_during_the_first_start_leaves_nothing_and_the_next_one_succeeds() -> None:
    with new_hub() as hub:
        for number, words in ((signal.SIGINT, "Creating the database"), (signal.SIGTERM, "revision 0002")):
            process = subprocess.Popen(
                [sys.executable, "-m", "aihub", *hub.command],
                env=hub.environment(),
                cwd=hub.home.parent,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stderr is not None
            with process.stderr:
                for line in process.stderr:
                    if words in line:
                        break
                process.send_signal(number)
                rest = process.stderr.read()
            assert process.wait(60) == 0
            assert "Traceback" not in rest
            assert processes_in(hub.home.parent) == {}
        hub.start()


def test_the_database_is_started_again_and_nobody_sees_more_than_503() -> None:
    with Upstream() as upstream, running_hub(**OFF) as hub:
        ada = hub.set_up()
        key = ada.key
        hub.connect(ada, upstream.url, "echo", "long")
        told = ask(hub, key, "long")
        pid = EmbeddedPostgres(hub.home).pid
        assert pid is not None
        seen = set()
        chat = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
        requests: tuple[tuple[str, str, object], ...] = (
            ("GET", "/api/v1/conversations", None),
            ("GET", "/api/v1/credits", None),
            ("POST", "/api/v1/conversations", {}),
            ("POST", "/v1/chat/completions", chat),
            ("GET", "/health/ready", None),
        )

        def ask_everything() -> bool:
            """Whether everything was answered as on a good day."""
            answers = [hub.request(method, path, body, key=key) for method, path, body in requests]
            for answer in answers:
                seen.add(answer.status)
                assert answer.status in (200, 201, 503), answer.body
                if answer.status == 503:
                    assert int({k.lower(): v for k, v in answer.headers.items()}["retry-after"]) > 0
            return all(answer.status < 300 for answer in answers)

        # Nobody starts it again before it was missed.
        with exclusive(hub.home / "postgres" / "start.lock", 30, lambda: None):
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not ask_everything(), "the database is missed")
        assert 503 in seen
        for _ in range(3):
            wait_for(ask_everything, "the database is back")
        assert any("the database server was started again" in line for line in hub.lines)
        with open_stream(hub, key, told) as stream:
            shown = text_of(stream.read())
        assert shown.endswith("word500")
        assert message_of(hub, key, told)["text"] == shown
        run_a_job(hub)


def run_a_job(hub: Hub) -> None:
    """Enqueue some housekeeping and see it done."""
    postgres = EmbeddedPostgres(hub.home)
    postgres.attach()
    with psycopg.connect(postgres.dsn("owner"), autocommit=True) as db:
        row = db.execute(
            "select procrastinate_defer_jobs_v1(array[row('default', 'credits.tidy', 0, null, null, "
            "'{}'::jsonb, null)::procrastinate_job_to_defer_v1])"
        ).fetchone()
        assert row is not None
        number = row[0][0]
        status = "select status::text from procrastinate_jobs where id = %s"
        wait_for(lambda: db.execute(status, (number,)).fetchone() == ("succeeded",), "the job ran")


def test_a_stop_ends_streams_in_time_and_keeps_what_was_shown() -> None:
    with Upstream() as upstream, running_hub(**OFF) as hub:
        ada = hub.set_up()
        key = ada.key
        hub.connect(ada, upstream.url, "slow")
        told = ask(hub, key, "slow")
        query = urllib.request.Request(f"{hub.url}/api/agent/query", method="POST")
        query.add_header("Authorization", f"Bearer {key}")
        query.add_header("Content-Type", "application/json")
        query.data = json.dumps({"query": "Go on", "streaming": True}).encode()
        with open_stream(hub, key, told) as stream, urllib.request.urlopen(query, timeout=60) as other:
            shown = b"".join(stream.readline() for _ in range(20))
            other.readline()
            assert seconds(hub.stop) < 20 * slowness()
            shown += stream.read()
            asked = other.read()
        assert shown.rstrip().endswith(b"data: [DONE]")
        assert asked.rstrip().endswith(b"data: [DONE]")
        assert b"interrupted" in shown
        assert b"interrupted" in asked
        assert processes_in(hub.home.parent) == {}
        hub.start()
        message = message_of(hub, key, told)
        assert message["status"] == "interrupted"
        assert message["text"] == text_of(shown) != ""


def test_a_second_signal_hurries() -> None:
    with Upstream() as upstream, running_hub(**OFF) as hub:
        ada = hub.set_up()
        key = ada.key
        hub.connect(ada, upstream.url, "slow")
        told = ask(hub, key, "slow")
        with open_stream(hub, key, told) as stream:
            stream.readline()
            assert hub.process is not None
            hub.process.send_signal(signal.SIGINT)
            wait_for(lambda: any('"stopping"' in line for line in hub.lines), "the stop has begun")
            # In order it would take the five seconds that answers under way are given, and some more.
            assert seconds(lambda: hub.stop(signal.SIGINT)) < 5 * slowness()
        assert hub.process.returncode == 130
        assert not any(line.startswith("Traceback") for line in hub.lines)
        assert processes_in(hub.home.parent) == {}
        hub.start()
        wait_for(lambda: message_of(hub, key, told)["status"] == "interrupted", "the run has ended")


def test_an_address_in_use_is_refused_at_once() -> None:
    with running_hub(**OFF) as hub, temporary_home() as home:
        other = Hub(home, env=dict(OFF), port=hub.port)
        words = refused(other, *other.command)
        assert "serve.address_in_use" in words
        assert str(hub.port) in words
        assert "PORT=" in words
        assert not home.exists(), "the home is only made for a hub that can serve"


def test_targets_serve_their_routes_only_and_a_worker_runs_jobs() -> None:
    with new_hub("serve", "--target", "auth") as hub:
        assert "database.schema_mismatch" in refused(hub, *hub.command)
        hub.cli("migrate")
        assert processes_in(hub.home.parent) == {}
        hub.start()
        key = hub.create_admin()
        assert hub.get("/api/v1/users", key=key).status == 200
        assert hub.get("/health").status == 200
        for path in ("/v1/models", "/api/v1/conversations", "/api/v1/jobs", "/"):
            assert hub.get(path, key=key).status == 404, path
        worker = subprocess.Popen(
            [sys.executable, "-m", "aihub", "worker"], env=hub.environment(), cwd=hub.home.parent
        )
        try:
            run_a_job(hub)
        finally:
            worker.terminate()
            assert worker.wait(60) == 0
        postgres = EmbeddedPostgres(hub.home)
        postgres.attach()
        with psycopg.connect(postgres.dsn("owner"), autocommit=True) as db:
            db.execute("update alembic_version set version_num = '9999'")
            other = another(hub)
            assert "database.schema_mismatch" in refused(other, "serve")
            assert "database.schema_mismatch" in refused(other, *("up", "--no-browser"))


def test_verbs_work_while_the_hub_runs_and_while_it_does_not() -> None:
    with new_hub() as hub:
        key = hub.create_admin("first@example.org")
        assert processes_in(hub.home.parent) == {}
        hub.start()
        assert hub.get("/api/v1/credits", key=key).status == 200
        second = hub.create_admin("second@example.org")
        people: Any = hub.get("/api/v1/users", key=second).json()
        assert {"first@example.org", "second@example.org"} <= {u["email"] for u in people["items"]}
        hub.stop()
        listed = json.loads(hub.cli("user", "list", "--json"))
        assert {user["email"] for user in listed} == {"first@example.org", "second@example.org"}
        assert json.loads(hub.cli("audit", "verify", "--json"))["ok"]
        assert processes_in(hub.home.parent) == {}


def test_a_second_serving_process_needs_redis(redis_server: Valkey) -> None:
    with running_hub(**OFF) as hub:
        words = refused(another(hub), *hub.command)
        assert "serve.needs_redis" in words
        assert "Another process serves this hub already" in words
        pid = EmbeddedPostgres(hub.home).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)  # the database restarts; the first process stays the only one
        wait_for(lambda: any("was started again" in line for line in hub.lines), "the database is back")
        postgres = EmbeddedPostgres(hub.home)
        postgres.attach()
        alone = "select count(*) from pg_locks where locktype = 'advisory' and granted"
        with psycopg.connect(postgres.dsn("superuser"), autocommit=True) as db:
            wait_for(lambda: db.execute(alone).fetchone() == (1,), "it says so again")
        assert "serve.needs_redis" in refused(another(hub), "serve", "--target", "core")
        hub.stop()
        hub.env["REDIS_URL"] = redis_server.url
        hub.start()
        other = another(hub).start()
        try:
            assert other.get("/health/ready").status == 200
        finally:
            other.stop()


def siblings_of(hub: Hub) -> list[int]:
    assert hub.process is not None
    return [pid for pid, command in children(hub.process.pid).items() if "aihub.app.sibling" in command]


def test_workers_share_the_port_are_replaced_and_do_not_outlive_the_first(redis_server: Valkey) -> None:
    with prepared_hub(**OFF, WORKERS="2") as hub:
        assert "serve.needs_redis" in refused(hub, *hub.command)
        hub.env["REDIS_URL"] = redis_server.url
        hub.start()
        key = hub.set_up().key
        assert hub.process is not None
        first = hub.process
        (sibling,) = siblings_of(hub)
        first.send_signal(signal.SIGSTOP)  # now only the sibling takes connections
        try:
            wait_for(lambda: hub.get("/api/v1/credits", key=key).status == 200, "the sibling answers")
        finally:
            first.send_signal(signal.SIGCONT)
        os.kill(sibling, signal.SIGKILL)
        for _ in range(50):
            assert hub.get("/api/v1/credits", key=key).status == 200
        wait_for(lambda: siblings_of(hub) not in ([], [sibling]), "the sibling is replaced")
        assert hub.stop() == 0
        assert processes_in(hub.home.parent) == {}
        hub.start()
        hub.kill()
        wait_for(
            lambda: not any("sibling" in command for command in processes_in(hub.home.parent).values()),
            "siblings go with their first",
        )
        hub.start()


def models_below(hub: Hub) -> list[int]:
    assert hub.process is not None
    return [pid for pid, command in children(hub.process.pid).items() if "chat_process" in command]


@pytest.mark.slow
def test_one_process_runs_the_models_and_another_takes_over(redis_server: Valkey) -> None:
    with prepared_hub(AIHUB_EMBEDDED_THREADS="1", REDIS_URL=redis_server.url) as hub:
        link_weights(cached_weights(), hub.home, SMOLLM2)
        other = another(hub)
        try:
            hub.start()
            other.start()
            key = hub.set_up().key

            def ready(one: Hub) -> bool:
                state: Any = one.get("/api/v1/embedded", key=key).json()
                return bool(state["state"] == "ready")

            wait_for(lambda: ready(hub) and ready(other), "both know the model")
            assert len(models_below(hub)) == 1
            assert models_below(other) == []
            hub.kill()
            wait_for(lambda: len(models_below(other)) == 1, "the other takes over")
            wait_for(lambda: ready(other), "the model is there again")
            chat = {
                "model": "smollm2-135m",
                "messages": [{"role": "user", "content": "Hi"}],
                "max_tokens": 4,
            }
            assert other.post("/v1/chat/completions", chat, key=key).status == 200
        finally:
            for one in (hub, other):
                if one.process is not None:
                    one.stop()
        assert processes_in(hub.home.parent) == {}


def test_a_part_that_ends_stops_the_hub_with_a_clear_error() -> None:
    async def ends() -> None:
        return

    async def breaks() -> None:
        raise ZeroDivisionError("a defect")

    async def try_both() -> None:
        main = asyncio.current_task()
        assert main is not None
        stop = Stop(main)
        with pytest.raises(PartEnded, match="ended by itself"):
            await without_end("a part", ends(), stop)
        with pytest.raises(PartEnded, match="ZeroDivisionError: a defect"):
            await without_end("a part", breaks(), stop)
        stop.wanted.set()
        await without_end("a part", ends(), stop)

    asyncio.run(try_both())
