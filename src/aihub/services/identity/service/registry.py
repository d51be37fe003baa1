"""What the modules declare, written to the database at every start."""

from collections.abc import Sequence

from aihub.kernel.db import Work
from aihub.kernel.module import Module
from aihub.services.identity import queries
from aihub.services.identity.domain import granted


async def sync_registry(work: Work, modules: Sequence[Module]) -> None:
    """Write the permissions and built-in roles that the modules declare.

    Adds what is new and takes nothing away: grants an operator made stay, and a permission an operator
    took from a built-in role is not given back. Any number of processes may do this at once.
    """
    declared = [permission for module in modules for permission in module.permissions]
    roles = [role for module in modules for role in module.roles]
    names = frozenset(permission.name for permission in declared)
    await queries.lock_registry(work)
    await queries.declare_permissions(work, declared)
    await queries.declare_roles(work, roles)
    await queries.grant_defaults(work, ((role.name, name) for role in roles for name in granted(role, names)))
