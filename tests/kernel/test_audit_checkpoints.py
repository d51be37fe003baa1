"""What the chain alone cannot notice: a log set back, cut, or written anew by who has its key."""

import asyncio
import base64
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from tests.support.audit_log import every_kind, record, superuser, verdict, written_anew
from tests.support.database import Server
from tests.support.runtime import open_runtime, settings_for

from aihub.kernel import audit
from aihub.kernel.audit import marks
from aihub.kernel.audit import service as audit_service
from aihub.kernel.audit.checkpoints import CheckpointFile, Signer
from aihub.kernel.audit.errors import LogSetBack, NothingToAccept
from aihub.kernel.audit.jobs import check, look, run_check
from aihub.kernel.audit.trail import AuditTrail
from aihub.kernel.db import system
from aihub.kernel.health import State
from aihub.kernel.jobs.job import JobContext
from aihub.kernel.runtime import Runtime
from aihub.kernel.secrets import WeakSecret
from aihub.kernel.settings import SettingsError

TABLES = ("audit_log", "audit_head", "audit_checkpoints")


def trail(runtime: Runtime) -> AuditTrail:
    return runtime.get(AuditTrail)


def keep_a_copy(postgres: Server) -> None:
    with superuser(postgres) as connection:
        for table in TABLES:
            connection.execute(f"create table yesterday_{table} as select * from {table}")


def put_the_copy_back(postgres: Server) -> None:
    with superuser(postgres) as connection:
        for table in TABLES:
            connection.execute(f"truncate {table}")
            connection.execute(f"insert into {table} select * from yesterday_{table}")


async def test_yesterdays_table_is_found(runtime: Runtime, postgres: Server) -> None:
    await every_kind(runtime.database)
    await trail(runtime).mark()
    keep_a_copy(postgres)
    await record(runtime.database, 3)
    await trail(runtime).mark()
    assert await trail(runtime).verify() == audit.Verdict(True, 9, 9, ())
    put_the_copy_back(postgres)
    # The chain itself, its seal and the checkpoints in the database agree with one another.
    assert (await verdict(runtime.database)).problems == ()
    found = await trail(runtime).verify()
    assert not found.ok
    assert any("there were 9 entries, now the last is 6" in problem for problem in found.problems)
    # Neither new entries nor the next checkpoint cover it up.
    await record(runtime.database, 5)
    with pytest.raises(LogSetBack):
        await trail(runtime).mark()
    found = await trail(runtime).verify()
    assert any("entry 9 is not the one" in problem for problem in found.problems)


async def test_a_log_written_anew_with_the_chains_own_key_is_found(
    runtime: Runtime, postgres: Server
) -> None:
    await every_kind(runtime.database)
    await trail(runtime).mark()
    await written_anew(runtime.database, postgres, 3, action="user.praise")
    assert (await verdict(runtime.database)).ok
    found = await trail(runtime).verify()
    assert any("entry 6 is not the one" in problem for problem in found.problems)


async def test_a_restore_that_was_meant_is_accepted_once(runtime: Runtime, postgres: Server) -> None:
    await every_kind(runtime.database)
    await trail(runtime).mark()
    with pytest.raises(NothingToAccept):
        await trail(runtime).accept_restore("no reason")
    keep_a_copy(postgres)
    await record(runtime.database, 3)
    await trail(runtime).mark()
    put_the_copy_back(postgres)
    accepted = await trail(runtime).accept_restore("disk failure, backup of the night")
    assert (accepted.kind, accepted.base, accepted.seq) == ("restore", 6, 7)
    assert await trail(runtime).verify() == audit.Verdict(True, 7, 7, ())
    async with runtime.database.work(system("test")) as work:
        newest = (await audit.page(work, cursor=None, limit=1)).items[0]
    assert newest.action == "audit.restore_accepted"
    assert newest.details is not None
    assert newest.details["reason"] == "disk failure, backup of the night"
    assert (newest.details["agrees_up_to"], newest.details["signed_up_to"]) == (6, 9)
    # It excuses what was lost and nothing else: what was signed before and since binds.
    await record(runtime.database, 4)
    await trail(runtime).mark()
    await written_anew(runtime.database, postgres, 5, action="user.praise")
    assert not (await trail(runtime).verify()).ok


async def test_checkpoints_are_made_at_start_and_stop_and_only_for_news(dsn: str, home: Path) -> None:
    settings = settings_for(home)
    async with open_runtime(dsn, settings) as first:
        assert trail(first).file.read() == []
        await record(first.database, 2)
    async with open_runtime(dsn, settings) as second:
        lines = trail(second).file.read()
        assert [line.seq for line in lines if line] == [2]
        assert await trail(second).mark() is None
        await record(second.database, 1)
        made = await asyncio.gather(*(trail(second).mark() for _ in range(4)))
        assert any(made)
        assert (await trail(second).verify()).ok
        path = trail(second).file.path
    assert path == home / "audit" / "checkpoints.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "secrets" / "audit.key").stat().st_mode) == 0o600


async def test_a_changed_line_of_the_file_is_found(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    await trail(runtime).mark()
    path = trail(runtime).file.path
    whole = path.read_bytes()
    for at in range(len(whole) - 1):
        path.write_bytes(bytes((*whole[:at], whole[at] ^ 1, *whole[at + 1 :])))
        found = await trail(runtime).verify()
        changed = found.problems or found.warnings
        # A byte of the file may stand for the same value in another spelling; then nothing was changed.
        same = trail(runtime).file.read() == CheckpointFile(_copy(path, whole)).read()
        assert changed or same, (at, whole[at : at + 1])
    path.write_bytes(whole)
    assert await trail(runtime).verify() == audit.Verdict(True, 6, 6, ())


def _copy(path: Path, content: bytes) -> Path:
    copy = path.with_name("copy")
    copy.write_bytes(content)
    return copy


async def test_a_missing_or_older_file_is_told(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    await trail(runtime).mark()
    path = trail(runtime).file.path
    first = path.read_bytes()
    await record(runtime.database)
    await trail(runtime).mark()
    path.write_bytes(first)
    found = await trail(runtime).verify()
    assert found.ok
    assert found.warnings == (
        f"the file with the checkpoints ends before the newest in the database: {path}",
    )
    path.unlink()
    found = await trail(runtime).verify()
    assert found.warnings == (f"the file with the checkpoints is missing: {path}",)


async def test_a_checkpoint_of_another_key_binds_nothing(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    made = await trail(runtime).mark()
    assert made is not None
    forged = Signer(bytes(range(32))).signed("restore", 6, made.hash, first=1, at=made.at, base=0)
    trail(runtime).file.append(forged)
    found = await trail(runtime).verify()
    assert [problem for problem in found.problems if "no checkpoint signed with this hub's key" in problem]
    claimed = replace(forged, key=made.key)
    assert not claimed.is_signed_by(made.key)


async def test_a_line_cut_by_a_crash_does_not_swallow_the_next(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    await trail(runtime).mark()
    file = trail(runtime).file
    file.path.write_bytes(file.path.read_bytes() + b'{"id": "01')
    await record(runtime.database)
    made = await trail(runtime).mark()
    assert file.read()[1:] == [None, made]


async def _aged(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, days: int, number: int) -> None:
    """Entries as they were recorded so many days ago."""
    then = audit_service.present() - timedelta(days=days)
    with monkeypatch.context() as patch:
        patch.setattr(audit_service, "present", lambda: then)
        await record(runtime.database, number)


async def test_retention_removes_the_oldest_and_leaves_a_signed_beginning(
    runtime: Runtime, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _aged(runtime, monkeypatch, 100, 4)
    await trail(runtime).mark()
    await _aged(runtime, monkeypatch, 90, 3)
    await record(runtime.database, 2)
    await trail(runtime).mark()
    assert await trail(runtime).prune(60) == 4  # up to the checkpoint, not to the day
    found = await trail(runtime).verify()
    assert found == audit.Verdict(True, 6, 10, ())
    async with runtime.database.work(system("test")) as work:
        assert [line.seq for line in (await audit.page(work, cursor=None, limit=99)).items] == [
            10,
            9,
            8,
            7,
            6,
            5,
        ]
    assert await trail(runtime).prune(60) == 0
    await record(runtime.database, 1)
    await trail(runtime).mark()
    assert (await trail(runtime).verify()).ok
    with superuser(postgres) as connection:
        connection.execute("delete from audit_log where seq = 5")
    assert not (await trail(runtime).verify()).ok
    assert not (await verdict(runtime.database)).ok


async def test_nobody_can_prune_what_is_recent_or_unsigned(
    runtime: Runtime, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _aged(runtime, monkeypatch, 100, 3)
    await record(runtime.database, 3)
    made = await trail(runtime).mark()
    assert made is not None
    async with runtime.database.work(system("test")) as work:
        forged = Signer(bytes(range(32))).signed("anchor", 6, made.hash, first=1, at=made.at)
        await marks.insert_checkpoint(work, forged)
    for upto in (3, 6):

        async def attempt(upto: int = upto) -> None:
            async with runtime.database.work(system("test")) as work:
                await work.session.execute(text("select audit_prune(:upto)"), {"upto": upto})

        with pytest.raises(Exception, match="may not be removed"):
            await attempt()
    # Whoever forges an anchor and deletes by force is found by the signature.
    with superuser(postgres) as connection:
        connection.execute(
            "update audit_checkpoints set seq = 3, hash = (select hash from audit_log where seq = 3)"
        )
        connection.execute("update audit_checkpoints set kind = 'anchor'")
        connection.execute("delete from audit_log where seq <= 3")
    problems = (await trail(runtime).verify()).problems
    assert any("anchor at entry 3 is not signed" in problem for problem in problems)


async def test_the_nightly_check_removes_old_entries_of_a_whole_log_only(
    dsn: str, home: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_runtime(dsn, settings_for(home, AIHUB_AUDIT_RETENTION_DAYS="60")) as runtime:
        await _aged(runtime, monkeypatch, 100, 4)
        await trail(runtime).mark()
        await record(runtime.database, 2)
        with superuser(postgres) as connection:
            connection.execute("update audit_log set action = 'harmless' where seq = 2")
        await check(JobContext(runtime, 1, 1))
        assert len((await trail(runtime).verify()).problems) == 1  # still there to be looked at
        with superuser(postgres) as connection:
            connection.execute("update audit_log set action = 'key.create' where seq = 2")
        await check(JobContext(runtime, 2, 1))
        assert await trail(runtime).verify() == audit.Verdict(True, 3, 7, ())
        assert (await look(runtime)).state is State.OK


@pytest.fixture
def closed_home(home: Path) -> Path:
    """A home that holds no secrets."""
    home.mkdir()
    (home / "secrets").write_text("a file where the folder should be")
    return home


async def test_a_home_that_cannot_hold_the_key_stops_nobody(dsn: str, closed_home: Path) -> None:
    """As where the secrets are configured and the disk is read-only."""
    home = closed_home
    keys = {
        "ENCRYPTION_KEY": "8J+YgPCfmIDwn5iAMTIzNDU2Nzg5MGFiY2RlZmdoaWo=",
        "SESSION_SECRET": "abcdefgh" * 8,
    }
    async with open_runtime(dsn, settings_for(home, **keys)) as unable:
        await record(unable.database, 2)
        assert await trail(unable).mark() is None
        assert await trail(unable).verify() == audit.Verdict(True, 2, 2, ())
        assert await trail(unable).prune(60) == 0
    seed = base64.b64encode(bytes(range(32))).decode()
    settings = settings_for(home, **keys, AIHUB_AUDIT_SIGNING_KEY=seed)
    async with open_runtime(dsn, settings) as able:
        assert (await trail(able).verify()).ok
        assert [line.seq for line in trail(able).file.read() if line] == [2]
    with pytest.raises(WeakSecret):
        async with open_runtime(
            dsn, settings_for(home, **keys, AIHUB_AUDIT_SIGNING_KEY="a passphrase it may not be")
        ):
            pass


def test_a_retention_too_short_is_refused(home: Path) -> None:
    with pytest.raises(SettingsError):
        settings_for(home, AIHUB_AUDIT_RETENTION_DAYS="7")
    settings_for(home, AIHUB_AUDIT_RETENTION_DAYS="30")


async def test_a_check_leaves_its_result_and_the_probe_tells(runtime: Runtime, postgres: Server) -> None:
    await every_kind(runtime.database)
    assert (await look(runtime)).state is State.OK

    async def check() -> marks.Verification:
        async with runtime.database.work(system("test")) as work:
            number = await marks.begin_verification(work)
        await run_check(runtime, number)
        async with runtime.database.work(system("test")) as work:
            latest = await marks.latest_verification(work)
        assert latest is not None
        assert latest.id == number
        return latest

    first = await check()
    assert (first.ok, first.up_to, first.rows, first.problems) == (True, 6, 6, [])
    assert (await look(runtime)).detail == "whole up to entry 6"
    with psycopg.connect(postgres.admin) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update audit_log set action = 'x' where seq = 4")
    second = await check()
    assert (second.ok, second.problems) == (False, ["entry 4 was changed"])
    assert (await look(runtime)).state is State.FAILED
