"""pre: ledger accounts, holds and entries"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Amounts are micro-credits. The check on `held` is what keeps a balance from going below zero,
# however many calls race.
TABLES = """
create table ledger_accounts (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  key_id uuid unique references api_keys(id) on delete cascade,
  balance bigint not null default 0,
  held bigint not null default 0,
  created_at timestamptz not null default now(),
  closed_at timestamptz,
  check (held >= 0),
  check (balance >= held)
);
create unique index idx_ledger_accounts_user on ledger_accounts (owner_id) where key_id is null;
create index idx_ledger_accounts_closed on ledger_accounts (id) where closed_at is not null and balance > 0;

create table ledger_holds (
  id uuid primary key,
  account_id uuid not null references ledger_accounts(id) on delete cascade,
  owner_id uuid not null,
  amount bigint not null check (amount >= 0),
  charged bigint check (charged >= 0),
  status text not null default 'active' check (status in ('active', 'settled', 'released', 'expired')),
  idempotency_key text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  closed_at timestamptz
);
-- A call that came to nothing may be tried again under its key.
create unique index idx_ledger_holds_key on ledger_holds (account_id, idempotency_key)
  where status in ('active', 'settled');
create index idx_ledger_holds_active on ledger_holds (expires_at) where status = 'active';
create index idx_ledger_holds_account_id on ledger_holds (account_id, created_at);

create table ledger_entries (
  id bigint generated always as identity primary key,
  account_id uuid not null references ledger_accounts(id) on delete cascade,
  owner_id uuid not null,
  kind text not null check (kind in ('grant', 'adjustment', 'charge', 'refund')),
  amount bigint not null,
  balance_after bigint not null check (balance_after >= 0),
  hold_id uuid references ledger_holds(id),
  idempotency_key text not null,
  reason text not null default '',
  model text,
  input_tokens bigint,
  output_tokens bigint,
  created_at timestamptz not null default now(),
  unique (account_id, idempotency_key)
);
create index idx_ledger_entries_account on ledger_entries (account_id, id);
create index idx_ledger_entries_owner_created on ledger_entries (owner_id, created_at);
create index idx_ledger_entries_hold on ledger_entries (hold_id) where hold_id is not null;
create function ledger_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'ledger entries are append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger ledger_entries_append_only before update on ledger_entries
  for each row execute function ledger_refuse();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute("revoke update, delete on ledger_entries from aihub_app")
    for table in ("ledger_accounts", "ledger_holds", "ledger_entries"):
        for statement in protect(table):
            op.execute(statement)
