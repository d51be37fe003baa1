"""A whole hub with a mail server, a worker, and a person who has a little of everything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD
from tests.support.mail import Mailbox, mail_server
from tests.support.runtime import open_runtime, settings_for

from aihub.app.modules import MODULES
from aihub.kernel.clock import FixedClock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.ids import new_id
from aihub.kernel.jobs import defer
from aihub.kernel.jobs.runner import JobRunner
from aihub.kernel.runtime import Runtime
from aihub.services.credits import service as credits_service
from aihub.services.identity import service
from aihub.services.identity.contracts import User, Wallets
from aihub.services.identity.jobs import RESET_PASSWORD

SCOPE = system("test")
SECRET = "the-aardvark-sleeps-at-noon"
GENEROUS = "edge.auth=1000/1s burst 1000,edge.api=1000/1s burst 1000,api.general=100000/15m"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
async def hub(dsn: str, home: Path, clock: FixedClock, mailbox: Mailbox) -> AsyncIterator[Runtime]:
    """Every module, started; jobs run when a test says so."""
    settings = settings_for(
        home,
        MODULES,
        AIHUB_LIMITS=GENEROUS,
        AIHUB_EMBEDDED="false",
        AIHUB_PUBLIC_URL="https://hub.example.org",
        SMTP_HOST="127.0.0.1",
        SMTP_PORT=str(mailbox.port),
        SMTP_TLS="none",
    )
    async with open_runtime(dsn, settings, MODULES, clock=clock, pool_size=15) as runtime:
        async with runtime.database.work(SCOPE) as work:
            await service.sync_registry(work, MODULES)
        yield runtime


@asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    """A worker that runs the hub's jobs."""
    runner = JobRunner(runtime, [job for module in MODULES for job in module.jobs], heartbeat=0.2)
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        await runner.close()
        await task


Furnish = Callable[..., Awaitable[User]]


@pytest.fixture
def furnish(hub: Runtime, make_user: Callable[..., Awaitable[User]]) -> Furnish:
    """A person with something in every table that may hold something of theirs."""

    async def furnished(name: str, *roles: str) -> User:
        user = await make_user(name, *roles)
        async with hub.database.work(SCOPE) as work:
            await service.create_key(
                work,
                owner_id=user.id,
                name=SECRET,
                scopes=("*",),
                wallets=hub.get(Wallets),
                clock=hub.clock,
                credits="5",
            )
            await credits_service.adjust(
                work, owner_id=user.id, amount=12_500_000, reason=SECRET, actor=None, idempotency_key=SECRET
            )
            await _rows(work.session, user)
            await defer(work, RESET_PASSWORD, at=hub.clock.now() + timedelta(days=9), email=user.email)
            await work.session.execute(
                text("insert into sign_in_attempts (account_hash, ip_prefix) values (:a, '10.0.0.0/24')"),
                {"a": hub.get(Crypto).sign("sign-in attempt", user.email.encode())},
            )
            sealed = await hub.get(Crypto).seal(work, SECRET.encode(), context="test", owner=user.id)
            await work.session.execute(
                text("insert into totp_secrets (owner_id, pending) values (:o, :s)"),
                {"o": user.id, "s": sealed},
            )
        return user

    return furnished


_STATEMENTS = """
insert into conversations (id, owner_id, title, system_prompt) values (:c, :o, :s, :s);
insert into messages (id, conversation_id, owner_id, role, text, parts) values (:m, :c, :o, 'user', :s,
  jsonb_build_array(cast(:s as text)));
insert into messages (id, conversation_id, owner_id, role, text, parent_id, created_at) select
  gen_random_uuid(), :c, :o, 'assistant', 'answer ' || n, :m, now() from generate_series(1, 3) n;
insert into runs (id, owner_id, conversation_id, message_id, status, process, finished_at) values (:r,
  :o, :c, :m, 'complete', 'test', now());
insert into run_events (run_id, seq, owner_id, data) values (:r, 1, :o, :s);
insert into attachments (id, message_id, conversation_id, owner_id, position, name, size, text) values
  (:a, :m, :c, :o, 0, 'notes.txt', 27, :s);
insert into passkeys (id, owner_id, credential_id, public_key, sign_count, rp_id, name, synced) values
  (gen_random_uuid(), :o, convert_to(cast(:e as text), 'UTF8'), 'p', 0, 'localhost', :s, false);
insert into recovery_codes (id, owner_id, code_hash) values (gen_random_uuid(), :o, 'x');
insert into auth_challenges (id, owner_id, purpose, challenge, rp_id, origin, expires_at) values
  (gen_random_uuid(), :o, 'p', 'c', 'localhost', 'http://localhost', now());
insert into sessions (id, owner_id, token_hash, expires_at, ip, user_agent) values (gen_random_uuid(),
  :o, convert_to(:s || cast(:o as text), 'UTF8'), now(), '10.0.0.1', :s);
insert into one_time_links (id, owner_id, kind, token_hash, email, expires_at) values
  (gen_random_uuid(), :o, 'password_reset', convert_to(cast(:o as text), 'UTF8'), :e, now());
insert into one_time_links (id, created_by, kind, token_hash, email, name, expires_at) values
  (gen_random_uuid(), :o, 'invitation', convert_to('i' || cast(:o as text), 'UTF8'), 'new-' || cast(:e
  as text), :s, now());
insert into outbox (id, owner_id, kind, to_address, locale, subject, message_id, status) values
  (gen_random_uuid(), :o, 'new_device', :e, 'en', :s, cast(:o as text), 'sent');
insert into idempotency_records (owner_id, route, key, body_hash, status, response) values (:o, 'POST
  /x', :s, 'h', 200, to_jsonb(cast(:s as text)));
insert into refresh_tokens (id, owner_id, session_id, token_hash, scopes, expires_at)
  select gen_random_uuid(), :o, id, convert_to('r' || cast(:o as text), 'UTF8'), '{*}', now()
  from sessions where owner_id = :o limit 1;
insert into key_budgets (key_id, owner_id, amount, period, period_start)
  select id, :o, 1000000, 'day', now() from api_keys where owner_id = :o limit 1;
insert into identity_providers (id, handle, name, issuer, client_id)
  values (:p, 'p' || substr(md5(cast(:o as text)), 1, 20), 'Elsewhere', 'https://id.example', 'hub');
insert into linked_sign_ins (id, owner_id, provider_id, issuer, subject, email)
  values (gen_random_uuid(), :o, :p, 'https://id.example', :s || cast(:o as text), :e);
insert into federation_attempts (id, provider_id, purpose, owner_id, state_hash, browser_hash, redirect_uri,
    next_path, created_at, expires_at)
  values (gen_random_uuid(), :p, 'link', :o, convert_to('s' || cast(:o as text), 'UTF8'), 'b', 'https://hub',
    '/', now(), now());
insert into federation_waiting (id, provider_id, step, browser_hash, identity, next_path, expires_at)
  values (gen_random_uuid(), :p, 'link', convert_to('w' || cast(:o as text), 'UTF8'),
    jsonb_build_object('email', cast(:e as text)), '/', now());
insert into user_role_sources (user_id, role_id, provider_id)
  select user_id, role_id, :p from user_roles where user_id = :o limit 1;
insert into resource_grants (id, owner_id, permission_id, resource_id, reason)
  select gen_random_uuid(), :o, id, 'x', :s from permissions limit 1;
insert into security_events (id, kind, severity, subject, subject_id, minute, count, first_at, last_at, facts)
  values (gen_random_uuid(), 'sign_in.failed', 'warning', 'user:' || cast(:o as text), :o, now(), 1, now(),
    now(), jsonb_build_object('address', cast(:e as text)));
insert into data_exports (id, owner_id, status, secret, reason, finished_at, expires_at)
  values (gen_random_uuid(), :o, 'failed', 'x', :s, now(), null);
insert into deletions (id, owner_id, way, reason, stage, due_at)
  values (gen_random_uuid(), :o, 'self', :s, 'cancelled', now());
insert into ledger_holds (id, account_id, owner_id, amount, status, idempotency_key, expires_at)
  select gen_random_uuid(), id, :o, 0, 'released', :s, now() from ledger_accounts where owner_id = :o limit 1
"""


async def _rows(session: object, user: User) -> None:
    """Rows of the tables whose ceremonies are told elsewhere."""
    given = {"o": user.id, "e": user.email, "s": SECRET}
    conversation, message, run = new_id(), new_id(), new_id()
    ids = given | {"c": conversation, "m": message, "r": run, "a": new_id(), "p": new_id()}
    for statement in _STATEMENTS.split(";\n"):
        used = {name: value for name, value in ids.items() if f":{name}" in statement}
        await session.execute(text(statement), used)  # type: ignore[attr-defined]


__all__ = ["PASSWORD", "SCOPE", "SECRET", "working"]
