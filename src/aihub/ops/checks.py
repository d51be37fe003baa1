"""The doctor's own checks: settings that fit each other, secrets, files, database, Redis, disk, clock."""

import asyncio
import base64
import binascii
import math
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from aihub.kernel.checks import Check, Finding, Patient, bad, ok, watch
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import system
from aihub.kernel.errors import AihubError
from aihub.kernel.postgres import PostgresError, inspect_server, require_supported
from aihub.kernel.settings import too_open
from aihub.ops.foreign import FOREIGN

LEAST_ENTROPY = 96.0
RESERVED_CONNECTIONS = 13  # superuser_reserved, one listener and four job connections, room for a person
WELL_KNOWN = ("changeme", "change-me", "secret", "password", "admin123", "example", "default", "your-")
JOB_CONNECTIONS = 5


def entropy(value: str) -> float:
    """An upper bound of a secret's entropy in bits: Shannon's over its characters, times its length."""
    counts = Counter(value)
    each = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) if value else 0.0
    return each * len(value)


async def secrets_strength(patient: Patient) -> Sequence[Finding]:
    findings = []
    for row in patient.settings.rows():
        if not row.declared.secret or not isinstance(row.value, str) or "URL" in row.declared.env:
            continue
        name, value = row.declared.env, row.value
        generate = f"Generate one: openssl rand -base64 48, and set {name} to it."
        if any(word in value.lower() for word in WELL_KNOWN):
            findings.append(bad(f"{name} looks like an example value.", generate))
        elif row.declared.section in ("Security", "Redis") and entropy(value) < LEAST_ENTROPY:
            findings.append(
                bad(
                    f"{name} has at most {entropy(value):.0f} bits; {LEAST_ENTROPY:.0f} are needed.", generate
                )
            )
        else:
            findings.append(ok(f"{name} is set and not guessable."))
    return findings


async def encryption_key(patient: Patient) -> Sequence[Finding]:
    value = patient.settings[KernelSettings].encryption_key
    if value is None:
        return [ok("The master key is generated and kept in the hub's home; back it up with the data.")]
    for decode in (bytes.fromhex, lambda v: base64.b64decode(v, validate=True)):
        try:
            if len(decode(value)) == 32:
                return [ok("ENCRYPTION_KEY is 32 bytes.")]
        except (ValueError, binascii.Error):
            continue
    return [
        watch(
            "ENCRYPTION_KEY is a passphrase; it is stretched with scrypt.",
            "Prefer 32 random bytes: openssl rand -base64 32, then 'aihub secrets rotate'.",
        )
    ]


async def file_modes(patient: Patient) -> Sequence[Finding]:
    home = patient.settings[KernelSettings].home
    candidates = [Path(".env"), Path(".env.local"), home / "env", *sorted((home / "secrets").glob("*"))]
    files = [p for p in candidates if p.is_file()]
    open_ones = [p for p in files if too_open(p)]
    if open_ones:
        return [bad(f"{p} can be read by other accounts.", f"chmod 600 {p}") for p in open_ones]
    return [ok(f"{len(files)} files with secrets are readable by their owner only.")]


async def database_reached(patient: Patient) -> Sequence[Finding]:
    if patient.nothing_yet:
        return [watch("There is no database here yet.", "Start the hub: 'aihub up' makes one.")]
    if patient.dsn is None or patient.database is None:
        why = f": {patient.trouble}" if patient.trouble else "."
        return [bad(f"The database cannot be reached{why}", "Start it, or correct DATABASE_URL.")]
    try:
        facts = await asyncio.to_thread(inspect_server, patient.dsn)
        require_supported(facts)
    except (PostgresError, AihubError) as exc:
        return [bad(str(getattr(exc, "detail", None) or exc), str(getattr(exc, "remedy", "")))]
    where = "embedded" if patient.embedded else "external"
    findings = [ok(f"PostgreSQL {facts.major} ({where}) with pgvector {facts.pgvector_version} answers.")]
    if not patient.embedded and not facts.ssl:
        findings.append(
            watch("The connection to the database is not encrypted.", "Set DB_SSL_MODE=verify-full.")
        )
    return findings


async def pool_fits(patient: Patient) -> Sequence[Finding]:
    if patient.dsn is None:
        return []
    kernel = patient.settings[KernelSettings]
    facts = await asyncio.to_thread(inspect_server, patient.dsn)
    need = kernel.workers * (kernel.db_pool_size + kernel.db_max_overflow + JOB_CONNECTIONS)
    have = facts.max_connections - RESERVED_CONNECTIONS
    told = (
        f"{kernel.workers} process(es) x ({kernel.db_pool_size} pool + {kernel.db_max_overflow} overflow "
        f"+ {JOB_CONNECTIONS} for jobs) = {need} connections; "
        f"the server leaves {have} of {facts.max_connections}."
    )
    if need > have:
        fits = max(1, have // kernel.workers - JOB_CONNECTIONS)
        return [
            bad(
                told,
                f"Set DB_POOL_SIZE and DB_MAX_OVERFLOW to at most {fits} together, raise max_connections, "
                "or put PgBouncer between.",
            )
        ]
    return [ok(told)]


async def redis_needed(patient: Patient) -> Sequence[Finding]:
    kernel = patient.settings[KernelSettings]
    url = kernel.redis()
    if url is None:
        if kernel.workers > 1:
            return [
                bad("More than one process without Redis would each count limits alone.", "Set REDIS_URL.")
            ]
        return [ok("Redis is not configured; one process does not need it.")]
    client = Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)
    try:
        started = time.perf_counter()
        await client.ping()
        took = (time.perf_counter() - started) * 1000
    except (RedisError, OSError) as exc:
        return [bad(f"Redis does not answer: {type(exc).__name__}.", "Start it, or correct REDIS_URL.")]
    finally:
        await client.aclose()
    return [ok(f"Redis answers in {took:.1f} ms.")]


async def disk_space(patient: Patient) -> Sequence[Finding]:
    home = patient.settings[KernelSettings].home
    while not home.exists():
        home = home.parent
    usage = shutil.disk_usage(home)
    free = usage.free / 2**30
    told = f"{free:.1f} GiB free of {usage.total / 2**30:.0f} GiB where the hub keeps its data."
    if free < 1:
        return [bad(told, "Free some space, or move AIHUB_HOME to a larger disk.")]
    if free < 5:
        return [watch(told, "Plan for a larger disk; models and the database grow.")]
    return [ok(told)]


async def clock_agrees(patient: Patient) -> Sequence[Finding]:
    if patient.database is None:
        return []
    async with patient.database.work(system("doctor: clock")) as work:
        theirs = await work.session.scalar(text("select clock_timestamp()"))
    seconds = abs((datetime.now(UTC) - theirs).total_seconds())
    if seconds > 5:
        return [
            bad(
                f"This machine's clock differs from the database's by {seconds:.0f} s.",
                "Run an NTP client on both.",
            )
        ]
    return [ok(f"The clocks of this machine and the database agree within {seconds:.1f} s.")]


async def environment(patient: Patient) -> Sequence[Finding]:
    kernel = patient.settings[KernelSettings]
    findings: list[Finding] = []
    if kernel.is_production and kernel.debug:
        findings.append(bad("DEBUG is on in production.", "Set DEBUG=false."))
    if kernel.is_production and not (kernel.public_url or "").startswith("https://"):
        findings.append(
            watch("AIHUB_PUBLIC_URL is not an https address.", "Put a TLS proxy in front and set it.")
        )
    if kernel.host not in ("127.0.0.1", "::1", "localhost") and not kernel.public_url:
        findings.append(
            watch(
                "The hub listens beyond this machine without AIHUB_PUBLIC_URL.", "Set it, behind a TLS proxy."
            )
        )
    return findings or [ok(f"Settings fit the environment '{kernel.environment}'.")]


async def foreign_names(patient: Patient) -> Sequence[Finding]:
    by_advice: dict[str, list[str]] = {}
    for name, advice in FOREIGN.items():
        if os.environ.get(name):
            by_advice.setdefault(advice, []).append(name)
    return [
        watch(
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} set, and the hub reads no such name.",
            advice,
        )
        for advice, names in by_advice.items()
    ]


CHECKS: tuple[Check, ...] = (
    Check("S001", "settings", "Settings fit each other", environment),
    Check("S002", "settings", "Secrets cannot be guessed", secrets_strength),
    Check("S003", "settings", "Master key", encryption_key),
    Check("S004", "settings", "Names from other systems", foreign_names),
    Check("F001", "files", "Files with secrets", file_modes),
    Check("D001", "database", "Database", database_reached),
    Check("D002", "database", "Connections fit the server", pool_fits),
    Check("R001", "redis", "Redis", redis_needed),
    Check("M001", "machine", "Disk space", disk_space),
    Check("M002", "machine", "Clock", clock_agrees),
)
