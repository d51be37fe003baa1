"""Every statement on the ledger.

Locks are always taken in the order hold, budget, account; a new hold locks only the last two. Conditions on
an account's row are checked again by PostgreSQL after it has waited for the row, so they hold in races.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.credits.contracts import Balance, Entry, Hold, Used
from aihub.services.credits.models import LedgerAccount, LedgerEntry, LedgerHold
from aihub.services.credits.queries import budgets
from aihub.services.credits.queries.payer import PAYER

_HOLD = text(f"""
with account as (
  update ledger_accounts set held = held + :amount
  where id = ({PAYER}) and closed_at is null and balance - held >= :amount
  returning id, owner_id
)
insert into ledger_holds (id, account_id, owner_id, amount, idempotency_key, expires_at)
select :id, id, owner_id, :amount, :idempotency_key, now() + :ttl from account
returning id, account_id, owner_id, amount, expires_at
""")  # noqa: S608 - put together from constants

_BALANCE = text(f"select id, balance, held from ledger_accounts where id = ({PAYER})")  # noqa: S608 - constants

# An expired hold no longer sets anything aside, but what was delivered under it is still charged.
_SETTLE = text("""
with hold as materialized (
  select id, account_id, owner_id, case status when 'active' then amount else 0 end as reserved
  from ledger_holds where id = :hold and status in ('active', 'expired') for update
), bill as materialized (
  select h.id, h.account_id, h.owner_id, h.reserved,
         least(cast(:amount as bigint), a.balance - a.held + h.reserved) as charge
  from ledger_accounts a join hold h on a.id = h.account_id for update of a
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
""")

_RELEASE = text("""
with hold as (
  update ledger_holds set status = 'released', closed_at = now()
  where id = :hold and status = 'active' returning account_id, amount
)
update ledger_accounts a set held = a.held - hold.amount from hold where a.id = hold.account_id
returning a.id
""")

# Holds that somebody else is just closing are left to them.
_RECLAIM = text("""
with due as materialized (
  select id from ledger_holds where account_id = :account and status = 'active' and expires_at <= now()
  for update skip locked
), closed as (
  update ledger_holds h set status = 'expired', closed_at = now() from due where h.id = due.id
  returning h.amount, h.key_id, h.budgeted
), counted as (
  update key_budgets b set held = b.held - k.amount
  from (select key_id, sum(amount) as amount from closed where budgeted group by key_id) k
  where b.key_id = k.key_id returning b.key_id
), total as materialized (
  select count(*) as holds, coalesce(sum(amount), 0) as amount
  from closed left join (select count(*) from counted) budgets on true
), freed as (
  update ledger_accounts set held = held - total.amount from total where id = :account and total.holds > 0
)
select holds from total
""")

_MOVE = text("""
update ledger_accounts set balance = balance + :amount
where id = :account and balance + :amount >= held and balance + :amount <= :largest
returning balance, owner_id
""")

_USAGE = text("""
select (created_at at time zone 'UTC')::date as day, coalesce(model, '') as model, -sum(amount) as credits,
       sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) as tokens, count(*) as calls
from ledger_entries
where owner_id = :owner and kind in ('charge', 'refund') and created_at >= :since
  and (cast(:account as uuid) is null or account_id = :account)
group by 1, 2 order by 1, 2
""")

_PROBLEMS = text("""
with entries as (
  select account_id, sum(amount) as total,
         bool_and(consistent) as chained, (array_agg(balance_after order by id desc))[1] as last
  from (
    select account_id, id, amount, balance_after,
           balance_after = amount + coalesce(lag(balance_after) over (partition by account_id order by id), 0)
             as consistent
    from ledger_entries
  ) e group by account_id
), holds as (
  select account_id, sum(amount) as total from ledger_holds where status = 'active' group by account_id
)
select a.id, a.balance, a.held, coalesce(e.total, 0) as entered, coalesce(h.total, 0) as active,
       coalesce(e.chained, true) and coalesce(e.last, 0) = a.balance as chained
from ledger_accounts a left join entries e on e.account_id = a.id left join holds h on h.account_id = a.id
where a.balance <> coalesce(e.total, 0) or a.held <> coalesce(h.total, 0)
   or not (coalesce(e.chained, true) and coalesce(e.last, 0) = a.balance)
order by a.id
""")

_ENTRY = (
    LedgerEntry.id,
    LedgerEntry.created_at,
    LedgerEntry.kind,
    LedgerEntry.amount,
    LedgerEntry.balance_after,
    LedgerEntry.reason,
    LedgerEntry.model,
    LedgerEntry.input_tokens,
    LedgerEntry.output_tokens,
)


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(*row)


async def open_account(work: Work, owner_id: UUID, key_id: UUID | None = None) -> UUID:
    """The id of the account, made now when there was none."""
    await work.session.execute(
        text(
            "insert into ledger_accounts (id, owner_id, key_id) values (:id, :owner, :key) "
            "on conflict do nothing"
        ),
        {"id": new_id(), "owner": owner_id, "key": key_id},
    )
    found = await account(work, owner_id, key_id)
    if found is None:
        raise LookupError(f"the ledger account of {owner_id} is not visible in this scope")
    return found


async def account(work: Work, owner_id: UUID, key_id: UUID | None) -> UUID | None:
    """Exactly this account: the key's own, or with None the user's."""
    statement = select(LedgerAccount.id).where(
        LedgerAccount.owner_id == owner_id, LedgerAccount.key_id.is_not_distinct_from(key_id)
    )
    return await work.session.scalar(statement)


async def hold(
    work: Work, owner_id: UUID, key_id: UUID | None, amount: int, idempotency_key: str, ttl: timedelta
) -> Hold | None:
    """Set credits aside, or None when the account is missing, closed or has too little to spare, or the
    key's budget has."""
    if key_id is not None:
        return await budgets.hold(work, owner_id, key_id, amount, idempotency_key, ttl)
    row = (
        await work.session.execute(
            _HOLD,
            {
                "id": new_id(),
                "owner": owner_id,
                "key": None,
                "amount": amount,
                "idempotency_key": idempotency_key,
                "ttl": ttl,
            },
        )
    ).one_or_none()
    return Hold(*row) if row else None


async def balance(work: Work, owner_id: UUID, key_id: UUID | None) -> Balance | None:
    """The money of the account that this caller pays from."""
    row = (await work.session.execute(_BALANCE, {"owner": owner_id, "key": key_id})).one_or_none()
    return Balance(*row) if row else None


async def key_balances(work: Work, key_ids: Sequence[UUID]) -> dict[UUID, Balance]:
    """The money of those keys that have an account of their own."""
    rows = await work.session.execute(
        select(LedgerAccount.key_id, LedgerAccount.id, LedgerAccount.balance, LedgerAccount.held).where(
            LedgerAccount.key_id.in_(key_ids)
        )
    )
    return {key: Balance(account_id, money, held) for key, account_id, money, held in rows if key}


async def hold_by_key(
    work: Work, owner_id: UUID, key_id: UUID | None, idempotency_key: str
) -> tuple[Hold, str] | None:
    """The hold that is open or billed under this idempotency key, and its status."""
    row = (
        await work.session.execute(
            text(f"""
                select id, account_id, owner_id, amount, expires_at, budgeted, status from ledger_holds
                where account_id = ({PAYER}) and idempotency_key = :idempotency_key
                  and status in ('active', 'settled')
            """),  # noqa: S608 - put together from constants
            {"owner": owner_id, "key": key_id, "idempotency_key": idempotency_key},
        )
    ).one_or_none()
    return (Hold(*row[:6]), row[6]) if row else None


async def settle(
    work: Work,
    hold: Hold,
    amount: int,
    *,
    reason: str,
    shortfall: str,
    model: str | None,
    input_tokens: int | None,
    output_tokens: int | None,
) -> Entry | None:
    """Charge and close the hold in one statement, or None when it was settled or released before."""
    values = {
        "hold": hold.id,
        "amount": amount,
        "reason": reason,
        "shortfall": shortfall,
        "model": model,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
    }
    if hold.budgeted:
        return await budgets.settle(work, values)
    row = (await work.session.execute(_SETTLE, values)).one_or_none()
    return _entry(row) if row else None


async def charge_of(work: Work, hold_id: UUID) -> Entry | None:
    """The entry a hold was settled with."""
    row = (await work.session.execute(select(*_ENTRY).where(LedgerEntry.hold_id == hold_id))).one_or_none()
    return _entry(row) if row else None


async def release(work: Work, hold: Hold) -> UUID | None:
    """Give back what was set aside; the account's id, or None when the hold was closed before."""
    if hold.budgeted:
        return await budgets.release(work, hold.id)
    account_id: UUID | None = await work.session.scalar(_RELEASE, {"hold": hold.id})
    return account_id


async def reclaim(work: Work, account_id: UUID) -> int:
    """Close the account's holds whose time is over and give back what they set aside; how many."""
    return int(await work.session.scalar(_RECLAIM, {"account": account_id}) or 0)


async def renew(work: Work, hold_ids: Sequence[UUID], ttl: timedelta) -> datetime | None:
    """Let those of the holds that are active live `ttl` from now; their new end, or None for none."""
    statement = (
        update(LedgerHold)
        .where(LedgerHold.id.in_(hold_ids), LedgerHold.status == "active")
        .values(expires_at=func.now() + ttl)
        .returning(LedgerHold.expires_at)
    )
    return (await work.session.scalars(statement)).first()


async def accounts_with_overdue_holds(work: Work, limit: int) -> list[UUID]:
    """Accounts with active holds whose time is over."""
    rows = await work.session.scalars(
        select(LedgerHold.account_id)
        .where(LedgerHold.status == "active", LedgerHold.expires_at <= func.now())
        .distinct()
        .limit(limit)
    )
    return list(rows)


async def entry_by_key(work: Work, account_id: UUID, idempotency_key: str) -> Entry | None:
    """An earlier entry under the same idempotency key."""
    row = (
        await work.session.execute(
            select(*_ENTRY).where(
                LedgerEntry.account_id == account_id, LedgerEntry.idempotency_key == idempotency_key
            )
        )
    ).one_or_none()
    return _entry(row) if row else None


async def lock_account(work: Work, account_id: UUID) -> Balance:
    """The account's money, which nobody else changes until this work ends."""
    row = (
        await work.session.execute(
            select(LedgerAccount.id, LedgerAccount.balance, LedgerAccount.held)
            .where(LedgerAccount.id == account_id)
            .with_for_update()
        )
    ).one()
    return Balance(*row)


async def move(
    work: Work,
    account_id: UUID,
    amount: int,
    *,
    kind: str,
    reason: str,
    idempotency_key: str,
    largest: int,
) -> Entry | None:
    """Add to (or take from) an account with its entry; None when that would break its bounds."""
    row = (
        await work.session.execute(_MOVE, {"account": account_id, "amount": amount, "largest": largest})
    ).one_or_none()
    if row is None:
        return None
    entry = LedgerEntry(
        account_id=account_id,
        owner_id=row.owner_id,
        kind=kind,
        amount=amount,
        balance_after=row.balance,
        idempotency_key=idempotency_key,
        reason=reason,
    )
    work.session.add(entry)
    await work.session.flush()
    await work.session.refresh(entry, ["id", "created_at"])
    return Entry(
        id=entry.id,
        at=entry.created_at,
        kind="grant" if kind == "grant" else "adjustment",
        amount=amount,
        balance_after=row.balance,
        reason=reason,
        model=None,
        input_tokens=None,
        output_tokens=None,
    )


async def close_account(work: Work, key_id: UUID) -> tuple[UUID, UUID] | None:
    """Close a key's account to new holds: its id and its owner, or None when the key has none."""
    row = (
        await work.session.execute(
            update(LedgerAccount)
            .where(LedgerAccount.key_id == key_id)
            .values(closed_at=func.coalesce(LedgerAccount.closed_at, func.now()))
            .returning(LedgerAccount.id, LedgerAccount.owner_id)
        )
    ).one_or_none()
    return (row.id, row.owner_id) if row else None


async def closed_with_money(work: Work, limit: int) -> list[tuple[UUID, UUID]]:
    """Closed accounts with money that nothing holds: their ids and owners."""
    rows = await work.session.execute(
        select(LedgerAccount.id, LedgerAccount.owner_id)
        .where(
            LedgerAccount.closed_at.is_not(None),
            LedgerAccount.balance > 0,
            LedgerAccount.balance > LedgerAccount.held,
        )
        .limit(limit)
    )
    return [(row.id, row.owner_id) for row in rows]


async def entries(work: Work, account_id: UUID, before: int | None, limit: int) -> list[Entry]:
    """Entries of the account, the newest first, from below `before`."""
    statement = select(*_ENTRY).where(LedgerEntry.account_id == account_id)
    if before is not None:
        statement = statement.where(LedgerEntry.id < before)
    rows = await work.session.execute(statement.order_by(LedgerEntry.id.desc()).limit(limit))
    return [_entry(row) for row in rows]


async def usage(work: Work, owner_id: UUID, account_id: UUID | None, since: datetime) -> list[Used]:
    """Charges since then, added up by day and model; of all the owner's accounts unless one is named."""
    rows = await work.session.execute(_USAGE, {"owner": owner_id, "account": account_id, "since": since})
    return [Used(r.day, r.model, int(r.credits), int(r.tokens), int(r.calls)) for r in rows]


async def problems(work: Work) -> Sequence[Row[Any]]:
    """Accounts whose numbers do not add up. One statement, so one moment in time."""
    return (await work.session.execute(_PROBLEMS)).all()


async def count_accounts(work: Work) -> int:
    return await work.session.scalar(select(func.count()).select_from(LedgerAccount)) or 0
