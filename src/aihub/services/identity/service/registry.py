"""What the modules declare, written to the database at every start."""

from collections.abc import Iterable, Sequence

from aihub.kernel.auth import Permission
from aihub.kernel.db import Work
from aihub.kernel.module import Module
from aihub.services.identity import queries
from aihub.services.identity.domain import granted


async def sync_registry(work: Work, modules: Sequence[Module]) -> None:
    """Write the permissions and built-in roles that the modules declare.

    Adds what is new and takes nothing away: grants an operator made stay, and a permission an operator
    took from a built-in role is not given back. Any number of processes may do this at once.
    """
    declared = _by_name(permission for module in modules for permission in module.permissions)
    await queries.lock_registry(work)
    await queries.declare_permissions(work, declared)
    for role in (role for module in modules for role in module.roles):
        await queries.declare_role(work, role, granted(role, (p.name for p in declared)))


def _by_name(permissions: Iterable[Permission]) -> list[Permission]:
    return list({permission.name: permission for permission in permissions}.values())
