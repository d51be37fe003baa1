"""Closing the books of somebody who is erased: the money stays told, whose it was does not."""

from uuid import UUID

from aihub.kernel.db import Work
from aihub.services.credits import queries
from aihub.services.credits.domain import LARGEST_BALANCE
from aihub.services.credits.queries import closing


async def close_for_good(work: Work, person: UUID, pseudonym: UUID) -> int:
    """Release what is set aside, give the accounts to the pseudonym and bring them to zero with an entry.

    `pseudonym` is the id of a deletion that has begun. Returns how many rows no longer name the person.
    """
    accounts: list[tuple[UUID, int]] = []
    while await closing.has_accounts(work, person):
        # A call that began a moment ago may set something aside in between.
        await closing.release_holds(work, person)
        accounts += await closing.close_accounts(work, person, pseudonym)
    forgotten = await closing.forget_owner(work, person, pseudonym)
    for account_id, balance in accounts:
        if balance:
            await queries.move(
                work,
                account_id,
                -balance,
                kind="adjustment",
                reason="The account was erased",
                idempotency_key="erased",
                largest=LARGEST_BALANCE,
            )
    return len(accounts) + forgotten
