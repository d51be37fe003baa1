"""Every statement that closes the books of somebody who is erased."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from aihub.kernel.db import Work

# In the order of all locks here: holds, then accounts.
_RELEASE = text("""
with freed as (
  update ledger_holds set status = 'released', closed_at = now()
  where owner_id = :person and status = 'active' returning account_id, amount
), total as (
  select account_id, sum(amount) as amount from freed group by account_id
)
update ledger_accounts a set held = a.held - total.amount from total where a.id = total.account_id
""")
_CLOSE = text("""
update ledger_accounts set owner_id = :pseudonym, closed_at = coalesce(closed_at, now())
where owner_id = :person and held = 0 returning id, balance
""")
_HOLDS = text("""
with forgotten as (
  update ledger_holds set owner_id = :pseudonym, idempotency_key = 'erased:' || id
  where owner_id = :person returning 1
) select count(*) from forgotten
""")


async def has_accounts(work: Work, person: UUID) -> bool:
    statement = text("select exists (select from ledger_accounts where owner_id = :person)")
    return bool(await work.session.scalar(statement, {"person": person}))


async def release_holds(work: Work, person: UUID) -> None:
    await work.session.execute(_RELEASE, {"person": person})


async def close_accounts(work: Work, person: UUID, pseudonym: UUID) -> Sequence[tuple[UUID, int]]:
    """Close every account to new holds and give it to the pseudonym: ids and balances."""
    rows = await work.session.execute(_CLOSE, {"person": person, "pseudonym": pseudonym})
    return [(row.id, row.balance) for row in rows]


async def forget_owner(work: Work, person: UUID, pseudonym: UUID) -> int:
    """Put the pseudonym in the place of the person in entries and holds, and remove what somebody wrote
    there; how many. `pseudonym` is the id of a deletion that has begun."""
    entries = await work.session.scalar(text("select ledger_forget(:deletion)"), {"deletion": pseudonym})
    holds = await work.session.scalar(_HOLDS, {"person": person, "pseudonym": pseudonym})
    return int(entries or 0) + int(holds or 0)
