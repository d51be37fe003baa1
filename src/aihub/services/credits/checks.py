"""What the doctor asks of the ledger: does every balance follow from its entries?"""

from collections.abc import Sequence

from aihub.kernel.checks import Check, Finding, Patient, bad, ok
from aihub.kernel.db import system
from aihub.services.credits import service


async def books_balance(patient: Patient) -> Sequence[Finding]:
    """Every account, added up."""
    if patient.database is None:
        return []
    async with patient.database.work(system("doctor: ledger")) as work:
        check = await service.check_invariant(work)
    if check.ok:
        return [ok(f"The balances of {check.accounts} accounts are the sums of their entries.")]
    return [
        bad(problem, "Somebody changed the ledger's tables by hand; restore them from a backup.")
        for problem in check.problems[:20]
    ]


CHECKS: tuple[Check, ...] = (Check("C001", "credits", "Ledger", books_balance),)
