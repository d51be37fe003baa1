"""The doctor looks and changes nothing."""

from pathlib import Path

from sqlalchemy import text
from tests.support.runtime import open_runtime, settings_for

from aihub.app.core import MODULE as KERNEL
from aihub.kernel.checks import Level, Patient
from aihub.kernel.db import Database, system
from aihub.services.gateway.checks import providers_answer
from aihub.services.gateway.module import MODULE as GATEWAY


async def _versions(database: Database) -> int:
    async with database.work(system("test")) as work:
        return int(await work.session.scalar(text("select count(*) from master_keys")) or 0)


def _there(path: Path) -> bool:
    return path.exists()


async def test_it_makes_no_keys(database: Database, dsn: str, home: Path) -> None:
    patient = Patient(settings_for(home, (KERNEL, GATEWAY)), dsn, database, False)
    (finding,) = await providers_answer(patient)
    assert finding.level is Level.WATCH
    assert "master.key" in finding.cause
    assert not _there(home)
    assert await _versions(database) == 0


async def test_it_records_no_new_master_key(database: Database, dsn: str, home: Path) -> None:
    old, new = "0123456789abcdef" * 4, "fedcba9876543210" * 4
    async with open_runtime(dsn, settings_for(home, ENCRYPTION_KEY=old)):
        pass
    rotated = {"ENCRYPTION_KEY": new, "AIHUB_PREVIOUS_ENCRYPTION_KEYS": old}
    patient = Patient(settings_for(home, (KERNEL, GATEWAY), **rotated), dsn, database, False)
    await providers_answer(patient)
    assert await _versions(database) == 1
