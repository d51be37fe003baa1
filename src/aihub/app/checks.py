"""Everything the doctor looks at: its own checks, then those of the modules."""

from aihub.kernel.checks import Check
from aihub.ops.checks import CHECKS as MACHINE
from aihub.services.credits.checks import CHECKS as LEDGER
from aihub.services.gateway.checks import CHECKS as PROVIDERS
from aihub.services.identity.checks import CHECKS as ROLES

ALL_CHECKS: tuple[Check, ...] = (*MACHINE, *ROLES, *LEDGER, *PROVIDERS)
