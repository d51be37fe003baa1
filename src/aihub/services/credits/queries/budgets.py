"""Every statement on the budgets of keys.

A budget's row is locked before the account's, so that whoever holds, settles and releases side by side waits
and never deadlocks. Conditions are checked again by PostgreSQL after it has waited for the row.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.credits.contracts import Budget, Entry, Hold, Left
from aihub.services.credits.queries.payer import PAYER

_BEGAN = """
  case b.period when 'day' then date_trunc('day', now(), 'UTC')
                when 'month' then date_trunc('month', now(), 'UTC') else b.period_start end
"""
_SPENT = f"case when b.period_start < {_BEGAN} then 0 else b.spent end"
_ENDS = f"""
  case b.period when 'day' then {_BEGAN} + interval '1 day'
                when 'month' then {_BEGAN} + interval '1 month' end
"""

# A call that costs nothing fits into every budget.
_HOLD = text(f"""
with budget as materialized (
  select b.key_id, b.amount is null or :amount = 0 or {_SPENT} + b.held + :amount <= b.amount as fits
  from key_budgets b where b.key_id = :key for update
), account as (
  update ledger_accounts set held = held + :amount
  where id = ({PAYER}) and closed_at is null and balance - held >= :amount
    and coalesce((select fits from budget), true)
  returning id, owner_id
), counted as (
  update key_budgets b set held = b.held + :amount from account, budget where b.key_id = budget.key_id
)
insert into ledger_holds (id, account_id, owner_id, amount, idempotency_key, expires_at, key_id, budgeted)
select :id, id, owner_id, :amount, :idempotency_key, now() + :ttl, :key, exists (select from budget)
from account
returning id, account_id, owner_id, amount, expires_at, budgeted
""")  # noqa: S608 - put together from constants

# What was held may be charged even when the budget was made smaller since; more than that, only what is free.
_SETTLE = text(f"""
with hold as materialized (
  select id, account_id, owner_id, key_id, case status when 'active' then amount else 0 end as reserved
  from ledger_holds where id = :hold and status in ('active', 'expired') for update
), budget as materialized (
  select b.key_id, {_BEGAN} as began, {_SPENT} as spent,
         case when b.amount is null then null
              else greatest(b.amount - {_SPENT} - b.held + h.reserved, h.reserved) end as free
  from key_budgets b join hold h on b.key_id = h.key_id for update of b
), bill as materialized (
  select h.id, h.account_id, h.owner_id, h.reserved,
         least(cast(:amount as bigint), a.balance - a.held + h.reserved, budget.free) as charge
  from hold h left join budget on true join ledger_accounts a on a.id = h.account_id for update of a
), counted as (
  update key_budgets b set held = b.held - bill.reserved, spent = budget.spent + bill.charge,
                           period_start = budget.began
  from bill, budget where b.key_id = budget.key_id
), closed as (
  update ledger_holds h set status = 'settled', charged = bill.charge, closed_at = now()
  from bill where h.id = bill.id returning h.id
), paid as (
  update ledger_accounts a set balance = a.balance - bill.charge, held = a.held - bill.reserved
  from bill where a.id = bill.account_id returning a.balance
)
insert into ledger_entries (account_id, owner_id, kind, amount, balance_after, hold_id, idempotency_key,
                            reason, model, input_tokens, output_tokens)
select bill.account_id, bill.owner_id, 'charge', -bill.charge, paid.balance, bill.id, 'hold:' || bill.id,
       cast(:reason as text) || case when bill.charge < :amount then cast(:shortfall as text) else '' end,
       :model, :input_tokens, :output_tokens
from bill, paid
returning id, created_at, kind, amount, balance_after, reason, model, input_tokens, output_tokens
""")  # noqa: S608 - put together from constants

_RELEASE = text("""
with hold as (
  update ledger_holds set status = 'released', closed_at = now()
  where id = :hold and status = 'active' returning account_id, key_id, amount
), counted as (
  update key_budgets b set held = b.held - hold.amount from hold
  where b.key_id = hold.key_id returning b.key_id
)
update ledger_accounts a set held = a.held - hold.amount from hold left join counted on true
where a.id = hold.account_id
returning a.id
""")

_LEFT = text(f"""
select {_SPENT} as spent, b.held, b.amount, b.period, {_ENDS} as ends
from key_budgets b
where b.key_id = :key and :amount > 0 and {_SPENT} + b.held + :amount > b.amount
""")  # noqa: S608 - put together from constants

_SHOWN = text(f"""
select b.key_id, b.amount, b.period, {_SPENT} as spent, b.held, {_ENDS} as ends
from key_budgets b where b.key_id = any(:keys) and b.amount is not null
""")  # noqa: S608 - put together from constants

_OPEN = text("""
insert into key_budgets (key_id, owner_id, period, period_start)
values (:key, :owner, :period, to_timestamp(0)) on conflict do nothing
""")
_LOCK = text("select 1 from key_budgets where key_id = :key for update")
_SET = text("""
with began as (
  select case cast(:period as text) when 'day' then date_trunc('day', now(), 'UTC')
              when 'month' then date_trunc('month', now(), 'UTC') else to_timestamp(0) end as at
), spent as (
  select -coalesce(sum(e.amount), 0) as amount
  from began, ledger_entries e join ledger_holds h on h.id = e.hold_id
  where e.owner_id = :owner and e.created_at >= began.at and h.key_id = :key and e.kind = 'charge'
)
update key_budgets set amount = :amount, period = :period, period_start = began.at, spent = spent.amount
from began, spent where key_id = :key
""")
_CLEAR = text("update key_budgets set amount = null where key_id = :key")

_PROBLEMS = text("""
select b.key_id, b.held, coalesce(sum(h.amount), 0) as active
from key_budgets b
left join ledger_holds h on h.key_id = b.key_id and h.status = 'active' and h.budgeted
group by b.key_id having b.held <> coalesce(sum(h.amount), 0)
""")


async def hold(
    work: Work, owner_id: UUID, key_id: UUID, amount: int, idempotency_key: str, ttl: timedelta
) -> Hold | None:
    """Set credits aside for a call of this key, or None when its account or its budget has too little."""
    row = (
        await work.session.execute(
            _HOLD,
            {
                "id": new_id(),
                "owner": owner_id,
                "key": key_id,
                "amount": amount,
                "idempotency_key": idempotency_key,
                "ttl": ttl,
            },
        )
    ).one_or_none()
    return Hold(*row) if row else None


async def settle(work: Work, values: dict[str, Any]) -> Entry | None:
    """Charge and close a hold that counts in its key's budget, or None when it was closed before."""
    row = (await work.session.execute(_SETTLE, values)).one_or_none()
    return Entry(*row) if row else None


async def release(work: Work, hold_id: UUID) -> UUID | None:
    """Give back what was set aside, to the budget too; the account's id, or None when it was closed."""
    account_id: UUID | None = await work.session.scalar(_RELEASE, {"hold": hold_id})
    return account_id


async def left(work: Work, account_id: UUID, key_id: UUID, amount: int) -> Left | None:
    """What the key's budget still has, when that is less than `amount`."""
    row = (await work.session.execute(_LEFT, {"key": key_id, "amount": amount})).one_or_none()
    if row is None:
        return None
    return Left(account_id, row.amount - row.spent, row.held, row.amount, row.period, row.ends)


async def budgets(work: Work, key_ids: Sequence[UUID]) -> dict[UUID, Budget]:
    """The budgets of those keys that have one."""
    rows = await work.session.execute(_SHOWN, {"keys": list(key_ids)})
    return {row.key_id: Budget(row.amount, row.period, row.spent, row.held, row.ends) for row in rows}


async def set_budget(work: Work, owner_id: UUID, key_id: UUID, amount: int, period: str) -> None:
    """Bound what the key may spend in each period; what it has spent in this one counts."""
    values: dict[str, object] = {"key": key_id, "owner": owner_id, "period": period}
    await work.session.execute(_OPEN, values)
    # Whoever charges now ends first, and is then seen by the sum.
    await work.session.execute(_LOCK, {"key": key_id})
    await work.session.execute(_SET, values | {"amount": amount})


async def clear_budget(work: Work, key_id: UUID) -> None:
    """Let the key spend without a budget."""
    await work.session.execute(_CLEAR, {"key": key_id})


async def problems(work: Work) -> list[tuple[UUID, int, int]]:
    """Budgets whose `held` is not the sum of their open holds: key, `held`, sum."""
    return [(row.key_id, row.held, int(row.active)) for row in await work.session.execute(_PROBLEMS)]


async def spent_since(work: Work, owner_ids: Sequence[UUID], since: datetime) -> dict[UUID, tuple[int, ...]]:
    """Balance, what is free, spent and calls since then, of each of these people with an account."""
    rows = await work.session.execute(_PEOPLE, {"owners": list(owner_ids), "since": since})
    return {row.owner_id: (row.balance, row.available, int(row.spent), int(row.calls)) for row in rows}


_PEOPLE = text("""
select a.owner_id, a.balance, a.balance - a.held as available, coalesce(u.spent, 0) as spent,
       coalesce(u.calls, 0) as calls
from ledger_accounts a
left join lateral (
  select -sum(e.amount) as spent, count(*) as calls from ledger_entries e
  where e.owner_id = a.owner_id and e.kind = 'charge' and e.created_at >= :since
) u on true
where a.key_id is null and a.owner_id = any(:owners)
""")
