"""kill -9 of the hub, its database and its model at random moments, while people use it.

What was acknowledged is there afterwards, once; nothing half-done stays behind.
"""

import http.client
import json
import os
import random
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from tests.support import marked_hub
from tests.support.hub import Answer, Hub, temporary_home
from tests.support.upstream import Upstream
from tests.support.weights import cached_weights, link_weights

from aihub.kernel.postgres import EmbeddedPostgres
from aihub.services.gateway.adapters.embedded.weights import SMOLLM2

KILLS = {"hub": 8, "database": 8, "model": 5}
BUSY = {409, 502, 503, 504}
"""What a client may be told in the middle of it all; it then tries again."""
CONNECTION_LOST = (OSError, http.client.HTTPException)


@dataclass
class Book:
    """What the clients were told, and what they should never have been told."""

    over: threading.Event = field(default_factory=threading.Event)
    wrong: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    asked: dict[str, str] = field(default_factory=dict)
    """Text of a question -> id of the message that was acknowledged for it."""
    shown: dict[str, str] = field(default_factory=dict)
    """Id of an answer -> text its reader has seen."""
    calls: dict[str, bool] = field(default_factory=dict)
    """Idempotency key of a priced call -> whether it was answered."""
    grants: dict[str, int] = field(default_factory=dict)
    """Reason of an acknowledged grant -> micro-credits."""
    marks: set[str] = field(default_factory=set)


class Client(threading.Thread):
    """Somebody who does one thing again and again."""

    def __init__(self, book: Book, hub: Hub, key: str, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.book, self.hub, self.key = book, hub, key
        self.random = random.Random(name)

    def run(self) -> None:
        while not self.book.over.is_set():
            try:
                self.step()
            except CONNECTION_LOST:
                time.sleep(0.1)
            except Exception as exc:
                self.book.wrong.append(f"{self.name}: {type(exc).__name__}: {exc}")
                raise

    def step(self) -> None:
        raise NotImplementedError

    def once(self, method: str, path: str, body: object = None, idem: str | None = None) -> Answer:
        """One request; raises when the connection is lost."""
        answer = self.hub.request(
            method, path, body, key=self.key, timeout=40, headers={"Idempotency-Key": idem} if idem else None
        )
        self.note(answer.status, f"{method} {path}", answer.body)
        return answer

    def note(self, status: int, what: str, body: bytes) -> None:
        self.book.seen[f"{self.name} {status}"] += 1
        if status >= 400 and status not in BUSY:
            self.book.wrong.append(f"{self.name}: {what} -> {status} {body[:300]!r}")

    def insist(self, path: str, body: object, idem: str | None = None, patience: float = 180) -> Any:
        """POST until it is acknowledged; the answer's JSON."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with suppress(*CONNECTION_LOST):
                answer = self.once("POST", path, body, idem)
                if answer.status < 300:
                    return json.loads(answer.body or b"null")
            time.sleep(0.1)
        raise AssertionError(f"POST {path} was not acknowledged within {patience:.0f} s")


class Caller(Client):
    """Calls a priced model, whole and streamed; a call is answered when its last word has come."""

    def step(self) -> None:
        name = f"{self.name}-{uuid4()}"
        self.book.calls[name] = False
        streamed = self.random.random() < 0.5
        body = {"model": "priced", "messages": [{"role": "user", "content": f"repeat {name}"}]}
        if streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        answer = self.once("POST", "/v1/chat/completions", body, name)
        if answer.status == 200:
            done = answer.body.rstrip().endswith(b"data: [DONE]") and b'"error"' not in answer.body
            self.book.calls[name] = done if streamed else "usage" in json.loads(answer.body)
        time.sleep(0.02)


class Asker(Client):
    """Asks questions and reads the answers as they are written, coming back whenever the stream breaks."""

    def step(self) -> None:
        conversation = self.insist("/api/v1/conversations", {})["id"]
        for model in ("quick", "wordy"):
            if self.book.over.is_set():
                return
            text = f"question {uuid4()}"
            path = f"/api/v1/conversations/{conversation}/messages"
            told = self.insist(path, {"text": text, "model": model}, str(uuid4()))
            self.book.asked[text] = told["user_message"]["id"]
            self.read(told["run"]["id"], told["assistant_message"]["id"])

    def read(self, run: str, message: str) -> None:
        after, deadline = 0, time.monotonic() + 180
        while time.monotonic() < deadline:
            request = urllib.request.Request(f"{self.hub.url}/api/v1/runs/{run}/stream?after={after}")
            request.add_header("Authorization", f"Bearer {self.key}")
            with suppress(*CONNECTION_LOST), urllib.request.urlopen(request, timeout=40) as stream:
                for line in stream:
                    if line.startswith(b"id: "):
                        number = int(line[4:])
                        if number != after + 1:
                            self.book.wrong.append(f"{self.name}: event {number} after {after} of {run}")
                        after = number
                    elif line.strip() == b"data: [DONE]":
                        return
                    elif line.startswith(b"data: "):
                        chunk = json.loads(line[6:])
                        if chunk["type"] == "text-delta":
                            self.book.shown[message] = self.book.shown.get(message, "") + chunk["delta"]
            time.sleep(0.1)
        self.book.wrong.append(f"{self.name}: run {run} had no end within three minutes")


class Giver(Client):
    """Gives credits, and repeats itself until told that they are given."""

    def __init__(self, book: Book, hub: Hub, key: str, name: str, user: str) -> None:
        super().__init__(book, hub, key, name)
        self.user = user

    def step(self) -> None:
        reason, amount = str(uuid4()), self.random.randint(1, 9)
        body = {"amount": f"0.00000{amount}", "reason": reason}
        self.insist(f"/api/v1/users/{self.user}/credits", body, reason)
        self.book.grants[reason] = amount
        time.sleep(0.05)


class Marker(Client):
    """Has jobs enqueued."""

    def step(self) -> None:
        name = str(uuid4())
        self.insist(f"/api/v1/marks/{name}", None)
        self.book.marks.add(name)
        time.sleep(0.05)


class Local(Client):
    """Asks the model that runs on this machine."""

    def step(self) -> None:
        question = [{"role": "user", "content": "Say hello."}]
        body = {"model": "smollm2-135m", "messages": question, "max_tokens": 8}
        self.once("POST", "/v1/chat/completions", body)
        time.sleep(0.3)


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """The processes below this one, with their command lines."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()


class Killer:
    """Kills, and sees to it that the hub is there again."""

    def __init__(self, hub: Hub, dice: random.Random) -> None:
        self.hub, self.dice = hub, dice
        self.log: list[str] = []
        self.killed: Counter[str] = Counter()

    def kill(self, victim: str) -> bool:
        """Whether there was something to kill."""
        if victim == "hub":
            self.hub.kill()
        else:
            pid = self.database() if victim == "database" else self.model()
            if pid is None:
                return False
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.killed[victim] += 1
        self.log.append(victim)
        return True

    def database(self) -> int | None:
        return EmbeddedPostgres(self.hub.home).pid

    def model(self) -> int | None:
        assert self.hub.process is not None
        found = (pid for pid, command in descendants(self.hub.process.pid) if "chat_process" in command)
        return next(found, None)

    def revive(self) -> None:
        assert self.hub.process is not None
        if self.hub.process.poll() is not None:
            time.sleep(self.dice.uniform(0, 0.3))
            self.hub.start(wait=180)

    def loop(self) -> None:
        plan = [victim for victim, number in KILLS.items() for _ in range(number)]
        self.dice.shuffle(plan)
        while plan:
            time.sleep(self.dice.uniform(0.2, 2.0))
            if not self.kill(plan[-1]):
                self.dice.shuffle(plan)  # the model is not there yet: something else first
                continue
            plan.pop()
            if plan and plan[-1] != "model" and self.dice.random() < 0.3:
                time.sleep(self.dice.uniform(0, 0.5))
                if self.kill(plan[-1]):  # the next blow before anybody has recovered
                    plan.pop()
            self.revive()


@contextmanager
def hub_with_models() -> Iterator[tuple[Hub, str]]:
    """A hub with the embedded model, scripted ones and the marks; a key of its administrator."""
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    with Upstream() as upstream, temporary_home() as home:
        home.mkdir(mode=0o711)
        link_weights(cached_weights(), home, SMOLLM2)
        env = {"AIHUB_EMBEDDED_THREADS": "1", "PYTHONPATH": path, "LOG_LEVEL": "info"}
        hub = Hub(home, env=env, module="tests.support.marked_hub")
        try:
            hub.start()
            key = hub.create_admin()
            provider = {"name": "scripted", "kind": "openai", "base_url": upstream.url, "allow_private": True}
            number = hub.post("/api/v1/providers", provider, key=key).json()["id"]
            for name, script, price in (
                ("priced", "echo", "0.01"),
                ("quick", "echo", "0"),
                ("wordy", "long", "0"),
            ):
                model = {"name": name, "provider_id": number, "kind": "chat", "upstream_name": script}
                made = hub.post("/api/v1/models", {**model, "request_price": price}, key=key)
                assert made.status == 201, made.body
            yield hub, key
        finally:
            if hub.process is not None:
                hub.stop()


def wait_until(what: str, true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9() -> None:
    seed = int(os.environ.get("AIHUB_TEST_SEED") or random.randrange(2**32))
    print(f"AIHUB_TEST_SEED={seed}")
    with hub_with_models() as (hub, key):
        postgres = EmbeddedPostgres(hub.home)
        postgres.attach()
        owner = postgres.dsn("owner")
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(marked_hub.TABLES)
        user = hub.post(
            "/api/v1/users",
            {"email": "bob@example.org", "name": "Bob", "password": "a long enough one", "roles": ["user"]},
            key=key,
        ).json()["id"]
        me = hub.get("/api/v1/users", key=key).json()["items"]
        admin = next(u["id"] for u in me if u["email"] == "ada@example.org")
        book = Book()
        clients = [
            Caller(book, hub, key, "caller 1"),
            Caller(book, hub, key, "caller 2"),
            Asker(book, hub, key, "asker 1"),
            Asker(book, hub, key, "asker 2"),
            Giver(book, hub, key, "giver", user),
            Marker(book, hub, key, "marker"),
            Local(book, hub, key, "local"),
        ]
        clients[0].insist(f"/api/v1/users/{admin}/credits", {"amount": "1000", "reason": "to spend"}, "spend")
        killer = Killer(hub, random.Random(seed))
        began = time.monotonic()
        for client in clients:
            client.start()
        try:
            killer.loop()
            time.sleep(1)
        finally:
            book.over.set()
            for client in clients:
                client.join(200)
        print(f"{sum(killer.killed.values())} kills in {time.monotonic() - began:.0f} s: {killer.log}")
        print(dict(sorted(book.seen.items())))
        assert sum(killer.killed.values()) >= 20
        assert all(killer.killed[victim] for victim in KILLS)
        assert not book.wrong, "\n".join(book.wrong[:20])
        assert all([book.asked, book.shown, book.grants, book.marks, any(book.calls.values())])

        with psycopg.connect(postgres.dsn("superuser"), autocommit=True) as db:
            messages_are_there_once(db, book)
            shown_text_is_kept(db, book)
            credits_add_up(db, book, user)
            jobs_have_run(db, book)
            holds_end(db)
        verdict = json.loads(hub.cli("audit", "verify", "--json"))
        assert verdict["ok"], verdict
        assert verdict["rows"] >= len(book.grants)
        local = clients[-1]
        wait_until("the local model answers", lambda: answers(local), 180)


def answers(local: Client) -> bool:
    body = {"model": "smollm2-135m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    return local.once("POST", "/v1/chat/completions", body).status == 200


def messages_are_there_once(db: psycopg.Connection, book: Book) -> None:
    stored = Counter(row[0] for row in db.execute("select text from messages where role = 'user'"))
    assert {text: stored[text] for text in book.asked if stored[text] != 1} == {}
    ids = {row[0]: str(row[1]) for row in db.execute("select text, id from messages where role = 'user'")}
    assert {text: number for text, number in book.asked.items() if ids[text] != number} == {}
    assert [text for text, number in stored.items() if number != 1] == []


def shown_text_is_kept(db: psycopg.Connection, book: Book) -> None:
    running = "select count(*) from runs where status = 'running'"
    wait_until("runs have ended", lambda: db.execute(running).fetchone() == (0,), 120)
    states = Counter(row[0] for row in db.execute("select status from runs"))
    print("runs", dict(states))
    assert set(states) <= {"complete", "interrupted", "failed"}
    assert {"complete", "interrupted"} <= set(states)
    rows = db.execute("select id, text, status from messages where role = 'assistant'").fetchall()
    kept = {str(number): text for number, text, _ in rows}
    lost = {n: (seen, kept[n]) for n, seen in book.shown.items() if not kept[n].startswith(seen)}
    assert not lost, list(lost.items())[:3]
    assert {status for _, _, status in rows} <= {"complete", "interrupted", "failed"}


def credits_add_up(db: psycopg.Connection, book: Book, user: str) -> None:
    accounts = db.execute(
        "select a.id, a.balance, a.held, coalesce((select sum(amount) from ledger_entries where "
        "account_id = a.id), 0), coalesce((select sum(amount) from ledger_holds where account_id = a.id "
        "and status = 'active'), 0) from ledger_accounts a"
    ).fetchall()
    assert accounts
    for account, balance, held, entries, holds in accounts:
        assert balance == entries, account
        assert held == holds, account
        assert 0 <= held <= balance, account
    given = Counter[str]()
    for reason, amount in db.execute(
        "select reason, amount from ledger_entries where owner_id = %s and kind <> 'charge'", (user,)
    ):
        given[reason] += 1
        assert book.grants.get(reason, amount) == amount
    assert {reason: given[reason] for reason in book.grants if given[reason] != 1} == {}
    charged = Counter[str]()
    rows = db.execute(
        "select h.idempotency_key, h.status, h.charged, -e.amount from ledger_holds h "
        "left join ledger_entries e on e.hold_id = h.id"
    ).fetchall()
    for name, status, hold_charged, amount in rows:
        if amount is not None:
            charged[name] += 1
            assert (status, hold_charged) == ("settled", amount), name
    answered = [name for name, done in book.calls.items() if done]
    print(f"{len(answered)} of {len(book.calls)} priced calls answered, {charged.total()} charged")
    assert {name: charged[f"call:{name}"] for name in answered if charged[f"call:{name}"] != 1} == {}
    assert [name for name, times in charged.items() if times != 1] == []


def jobs_have_run(db: psycopg.Connection, book: Book) -> None:
    unfinished = (
        "select count(*) from procrastinate_jobs where task_name = 'marks.leave' and status <> 'succeeded'"
    )
    wait_until("jobs have run", lambda: db.execute(unfinished).fetchone() == (0,), 120)
    marks = dict(db.execute("select name, job_id from marks").fetchall())
    effects = dict(db.execute("select name, times from mark_effects").fetchall())
    assert book.marks <= marks.keys()
    assert marks.keys() == effects.keys()
    jobs = db.execute("select count(*) from procrastinate_jobs where task_name = 'marks.leave'").fetchone()
    assert jobs == (len(marks),)
    print(f"{len(marks)} jobs, {sum(1 for times in effects.values() if times > 1)} of them ran again")
    doing = "select count(*) from procrastinate_jobs where status = 'doing'"
    wait_until("nothing is left running", lambda: db.execute(doing).fetchone() == (0,), 120)


def holds_end(db: psycopg.Connection) -> None:
    """What dead processes had reserved expires: here time is moved, and the housekeeping is called."""
    late = (
        "select count(*) from ledger_holds where status = 'active' and expires_at < now() - interval '2 min'"
    )
    assert db.execute(late).fetchone() == (0,)
    db.execute("update ledger_holds set expires_at = now() - interval '1 second' where status = 'active'")
    db.execute(
        "select procrastinate_defer_jobs_v1(array[row('default', 'credits.tidy', 0, null, null, '{}'::jsonb, "
        "null)::procrastinate_job_to_defer_v1])"
    )
    active = "select count(*) from ledger_holds where status = 'active'"
    wait_until("holds have expired", lambda: db.execute(active).fetchone() == (0,), 120)
    held = "select coalesce(sum(held), 0) from ledger_accounts"
    assert db.execute(held).fetchone() == (0,)
