"""What the doctor asks of identity: do the settings name roles that exist, are secrets renewed?"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aihub.kernel.checks import Check, Finding, Patient, bad, ok, watch
from aihub.kernel.db import system
from aihub.services.identity import service
from aihub.services.identity.contracts.access import UnknownRoles
from aihub.services.identity.queries import ageing
from aihub.services.identity.settings import IdentitySettings

LONGEST_SECRET = timedelta(days=365)
_NAMED = 5


async def second_factor_roles(patient: Patient) -> Sequence[Finding]:
    """The roles of AIHUB_SECOND_FACTOR_ROLES, looked up."""
    names = patient.settings[IdentitySettings].second_factor_roles
    if patient.database is None or not names:
        return []
    try:
        async with patient.database.work(system("doctor: roles")) as work:
            await service.check_second_factor_roles(work, names)
    except UnknownRoles as exc:
        return [bad(f"{exc.title}: {exc.detail}", exc.hint)]
    return [ok(f"A second factor is asked of {', '.join(names)}.")]


async def old_keys(patient: Patient) -> Sequence[Finding]:
    """API keys whose secret nobody has renewed for a year."""
    if patient.database is None:
        return []
    now = datetime.now(UTC)
    async with patient.database.work(system("doctor: keys")) as work:
        found = await ageing.keys_unchanged_since(work, now - LONGEST_SECRET, now)
    if not found:
        return [ok("No API key has had the same secret for more than a year.")]
    named = ", ".join(f"{prefix}… of {email}" for prefix, email in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return [
        watch(
            f"{len(found)} API key(s) have had the same secret for more than a year: {named}{more}.",
            "Have their owners rotate them on the page API keys; the old secret works on for a while.",
        )
    ]


CHECKS: tuple[Check, ...] = (
    Check("I001", "identity", "Roles in the settings", second_factor_roles),
    Check("I002", "identity", "Secrets of API keys", old_keys),
)
