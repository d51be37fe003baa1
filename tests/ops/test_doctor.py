"""Each check finds what is broken, and nothing else is found broken because of it."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.database import Server
from tests.support.runtime import settings_for
from tests.support.valkey import Valkey

from aihub.kernel.checks import Check, Level, Patient
from aihub.kernel.config import KernelSettings
from aihub.kernel.db.database import connect
from aihub.kernel.settings import declared
from aihub.ops.checks import CHECKS, entropy
from aihub.ops.doctor import Examined, examine
from aihub.ops.foreign import FOREIGN

STRONG = "q7Zr1xV9bT4nK8mW2cY6hJ3gF5dS0aPe"


async def findings(
    postgres: Server, home: Path, *, checks: Sequence[Check] = CHECKS, only: str | None = None, **environ: str
) -> list[Examined]:
    """What the checks say about an installation with these variables."""
    settings = settings_for(home, **environ)
    database = connect(postgres.app, settings[KernelSettings], pool_size=1)
    try:
        patient = Patient(settings, postgres.app, database, embedded=True)
        return [item async for item in examine(patient, checks, only)]
    finally:
        await database.close()


def found(items: list[Examined], level: Level) -> set[str]:
    return {item.check.id for item in items if item.level is level}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)


async def test_a_default_installation_is_healthy(postgres: Server, home: Path) -> None:
    items = await findings(postgres, home)
    assert found(items, Level.BAD) == set()
    assert len(items) == len(CHECKS)


def test_checks_are_numbered_once() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize(
    ("check", "environ"),
    [
        (
            "S001",
            {"ENVIRONMENT": "production", "DEBUG": "true", "AIHUB_PUBLIC_URL": "https://hub.example.org"},
        ),
        ("S002", {"SESSION_SECRET": "changeme-please-changeme-please-12345"}),
        ("S002", {"SESSION_SECRET": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}),
        ("S002", {"REDIS_PASSWORD": "admin123"}),
        ("D002", {"DB_POOL_SIZE": "100", "DB_MAX_OVERFLOW": "100"}),
        ("R001", {"WORKERS": "2", "DB_POOL_SIZE": "5", "DB_MAX_OVERFLOW": "5"}),
        ("R001", {"REDIS_URL": "redis://127.0.0.1:1/0"}),
    ],
)
async def test_one_fault_trips_one_check(
    postgres: Server, home: Path, check: str, environ: dict[str, str]
) -> None:
    items = await findings(postgres, home, **environ)
    assert found(items, Level.BAD) == {check}
    assert all(f.fix for item in items for f in item.findings if f.level is not Level.OK)


@pytest.mark.parametrize(
    "environ",
    [
        {"ENVIRONMENT": "production"},
        {"HOST": "0.0.0.0"},
    ],
)
async def test_what_deserves_a_look_is_no_fault(
    postgres: Server, home: Path, environ: dict[str, str]
) -> None:
    items = await findings(postgres, home, only="S001", **environ)
    assert found(items, Level.WATCH) == {"S001"}


async def test_a_passphrase_is_accepted_and_said(postgres: Server, home: Path) -> None:
    phrase = "quiet otters juggle nine violet lanterns"
    assert found(await findings(postgres, home, only="S003", ENCRYPTION_KEY=phrase), Level.WATCH) == {"S003"}
    assert found(await findings(postgres, home, only="S003", ENCRYPTION_KEY="ab" * 32), Level.OK) == {"S003"}


async def test_open_files_with_secrets_are_found(postgres: Server, home: Path, tmp_path: Path) -> None:
    for name in (".env", ".env.local", "home/env", "home/secrets/master"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("SESSION_SECRET=x\n")
        file.chmod(0o640)
        items = await findings(postgres, home)
        assert found(items, Level.BAD) == {"F001"}, name
        assert "chmod 600" in items[[i.check.id for i in items].index("F001")].findings[0].fix
        file.chmod(0o600)
        assert found(await findings(postgres, home), Level.BAD) == set()


async def test_a_database_out_of_reach_is_one_finding(home: Path) -> None:
    patient = Patient(settings_for(home), None, None, embedded=False)
    items = [item async for item in examine(patient, CHECKS)]
    assert found(items, Level.BAD) == {"D001"}


async def test_redis_that_answers_is_well(postgres: Server, home: Path, redis_server: Valkey) -> None:
    items = await findings(postgres, home, only="redis", REDIS_URL=redis_server.url, WORKERS="2")
    assert found(items, Level.OK) == {"R001"}
    redis_server.stop()
    items = await findings(postgres, home, only="redis", REDIS_URL=redis_server.url)
    assert found(items, Level.BAD) == {"R001"}
    assert redis_server.url not in items[0].findings[0].cause


@pytest.mark.parametrize("name", sorted(FOREIGN))
async def test_names_of_other_systems_are_named_with_what_to_do(
    postgres: Server, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "something")
    items = await findings(postgres, home, only="settings")
    assert found(items, Level.WATCH) == {"S004"}
    (finding,) = next(item for item in items if item.check.id == "S004").findings
    assert name in finding.cause
    assert finding.fix == FOREIGN[name]
    assert "something" not in finding.cause + finding.fix
    assert name not in {n for row in declared((KernelSettings,)) for n in row.names}


async def test_a_check_that_breaks_is_a_finding(postgres: Server, home: Path) -> None:
    async def breaks(_: Patient) -> Sequence[object]:
        raise RuntimeError("wires crossed")

    broken = Check("X001", "x", "Broken", breaks)  # type: ignore[arg-type]
    items = await findings(postgres, home, checks=(broken, *CHECKS))
    assert found(items, Level.BAD) == {"X001"}
    assert len(items) == len(CHECKS) + 1


def test_entropy_is_an_upper_bound() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy(STRONG) > 96
    assert os.environ.get("SENTRY_DSN") is None
