"""Security events: failed sign-ins, refusals, reused tokens, new devices, changes of privileges.

    security_events.event(work, "key.created", "info", f"user:{owner}", {"key": str(key.id)}, person=owner)
    security_events.event(runtime.database, "csrf.refused", "warning", "address:192.0.2.7", {"path": path})

Called with a unit of work, an event counts once that has committed; with the database, at once. Calling it
costs no statement: a process adds its events up and writes them every second, one row per kind, subject and
minute, so that an attack makes counts grow and not the table. Each event also counts in the metric
`aihub_security_events_total{kind,severity}`. What names somebody who was erased between counting and writing
is not written: the table takes no such row, see migration 0014.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import orjson
from prometheus_client import Counter

from aihub.kernel import audit
from aihub.kernel.audit.masking import clean, masked
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import Unavailable
from aihub.kernel.security_events import queries
from aihub.kernel.security_events.tally import Tally
from aihub.kernel.telemetry import context
from aihub.kernel.telemetry.logs import get_logger
from aihub.kernel.telemetry.metrics import REGISTRY

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.security")

Severity = Literal["info", "warning", "critical"]
EVENTS = Counter(
    "aihub_security_events",
    "What matters to the safety of the hub, by what happened and how bad it is.",
    ("kind", "severity"),
    registry=REGISTRY,
)
SEVERITIES = ("info", "warning", "critical")
KEEP_DAYS = 90
MOST_ROWS = 200_000
_EVERY = 1.0  # seconds between two writes
_KIND = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_LONGEST = 200
_LONGEST_FACTS = 2_000
_PART = "security_events"


def event(
    target: Work | Database,
    kind: str,
    severity: Severity | str,
    subject: str,
    facts: Mapping[str, object] | None = None,
    *,
    person: UUID | None = None,
) -> None:
    """Count an event, and keep it when this process keeps them.

    `kind` is a dotted name from our own code, such as `sign_in.failed`, never something a caller sent.
    `subject` says whom or where from (`user:<id>`, `address:192.0.2.7`); `person` is the user whom it
    concerns, with whose account it goes. The facts of the last time are kept, with secrets masked; address,
    browser and request id are added.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is not the name of a security event")
    if severity not in SEVERITIES:
        raise ValueError(f"{severity!r} is none of {', '.join(SEVERITIES)}")
    said = _bounded({**_request(), **masked(facts or {})})
    subject = clean(subject, _LONGEST)
    tally: Tally | None = target.process.get(_PART)

    def count() -> None:
        EVENTS.labels(kind, severity).inc()
        if tally is not None:
            tally.add(kind, severity, subject, person, said, datetime.now(UTC))

    if isinstance(target, Database):
        count()
        return

    async def at_last() -> None:
        # A command has no log of its own that would write it later.
        alone = Tally()
        alone.add(kind, severity, subject, person, said, datetime.now(UTC))
        await queries.add(target, alone.take(datetime.now(UTC)))

    async def afterwards() -> None:
        count()

    if tally is None:
        target.before_commit(at_last)
    target.after_commit(afterwards)


def caller() -> str:
    """Where the present request comes from, as a subject: an IPv4 address, or the /64 of an IPv6 address."""
    said = context.client_ip.get() or "unknown"
    try:
        address = ip_address(said.partition("%")[0])
    except ValueError:
        return f"address:{said}"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return f"address:{address.ipv4_mapped}"
        return f"address:{ip_network((address, 64), strict=False)}"
    return f"address:{address}"


async def forget(work: Work, person: UUID) -> None:
    """Delete what is kept about a person. Needs a system scope."""
    await queries.forget_person(work, person)


class SecurityLog:
    """Writes the events of its process, every second and at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tally = database.process[_PART] = Tally()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, runtime: "Runtime") -> "SecurityLog":
        started = cls(runtime.database)
        notable = {action: told for module in runtime.modules for action, told in module.notable.items()}
        runtime.database.process[audit.LISTENERS] = (partial(_deed, notable),)
        started._task = asyncio.create_task(started._write_on(), name="security-events")
        return started

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(Unavailable):
            await self.write()

    async def write(self) -> None:
        """Store what came together. Raises Unavailable, and keeps it for the next time."""
        sums = self._tally.take(datetime.now(UTC))
        if not sums:
            return
        try:
            async with self._database.work(system("security events")) as work:
                await queries.add(work, sums)
        except BaseException:
            self._tally.put_back(sums)
            raise

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.write()
            except Unavailable as exc:
                log.warning("security events could not be written yet", error=str(exc))
            except Exception:  # the edge of this loop: events must not end with one defect
                log.exception("security events could not be written yet")


def _deed(notable: Mapping[str, tuple[str, str]], work: Work, deed: audit.Deed) -> None:
    """An audited deed that is a security event too."""
    ways = (deed.action, *(f"{deed.action}:{name}" for name in deed.changes))
    found = next((notable[way] for way in ways if way in notable), None)
    if found is None:
        return
    person = deed.subject_id or deed.actor_id
    subject = f"user:{person}" if person else f"{deed.target_kind}:{deed.target_id}"
    facts = {
        "action": deed.action,
        "entry": str(deed.id),
        "by": str(deed.actor_id) if deed.actor_id else "hub",
    }
    event(work, *found, subject, facts, person=person)


def _request() -> dict[str, object]:
    known = {
        "address": context.client_ip.get(),
        "user_agent": clean(context.user_agent.get() or "", 300) or None,
        "request_id": context.request_id.get(),
    }
    return {name: value for name, value in known.items() if value is not None}


def _bounded(facts: dict[str, Any]) -> dict[str, Any]:
    return facts if len(orjson.dumps(facts)) <= _LONGEST_FACTS else {**_request(), "too_long": True}
