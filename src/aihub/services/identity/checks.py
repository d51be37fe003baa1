"""What the doctor asks of identity: do the settings name roles that exist?"""

from collections.abc import Sequence

from aihub.kernel.checks import Check, Finding, Patient, bad, ok
from aihub.kernel.db import system
from aihub.services.identity import service
from aihub.services.identity.contracts.access import UnknownRoles
from aihub.services.identity.settings import IdentitySettings


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


CHECKS: tuple[Check, ...] = (Check("I001", "identity", "Roles in the settings", second_factor_roles),)
