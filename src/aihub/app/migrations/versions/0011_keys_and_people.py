"""pre: limits, budgets and rotation of keys"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEYS = """
alter table api_keys
  add column models text[] not null default '{}',
  add column networks text[] not null default '{}',
  add column requests_per_minute bigint check (requests_per_minute > 0),
  add column tokens_per_minute bigint check (tokens_per_minute > 0),
  add column parallel_requests bigint check (parallel_requests > 0),
  add column rotated_at timestamptz,
  add column previous_hash bytea unique,
  add column previous_prefix text,
  add column previous_until timestamptz,
  add check (num_nonnulls(previous_hash, previous_prefix, previous_until) in (0, 3));

-- While a key is being rotated it has two secrets, and every process may remember it under both.
create function announce_key() returns trigger language plpgsql as $$
begin
  perform pg_notify('aihub_invalidate', 'key:' || encode(hash, 'hex'))
  from unnest(array[old.hash, old.previous_hash]) hash where hash is not null;
  return null;
end $$;
drop trigger api_keys_announce on api_keys;
create trigger api_keys_announce
  after update of owner_id, hash, previous_hash, previous_until, revoked_at, expires_at, scopes, models,
                  networks, requests_per_minute, tokens_per_minute, parallel_requests or delete
  on api_keys for each row execute function announce_key();
"""

# What a key may spend in a period (UTC), from whichever account; micro-credits. `spent` counts since
# `period_start` and is nothing once a new period has begun. Without an amount the budget was taken away: the
# row stays, since open holds are counted in it.
BUDGETS = """
create table key_budgets (
  key_id uuid primary key references api_keys(id) on delete cascade,
  owner_id uuid not null references users(id) on delete cascade,
  amount bigint check (amount >= 0),
  period text not null check (period in ('day', 'month', 'total')),
  period_start timestamptz not null,
  spent bigint not null default 0 check (spent >= 0),
  held bigint not null default 0 check (held >= 0)
);
create index idx_key_budgets_owner_id on key_budgets (owner_id);
-- `budgeted`: the amount is counted under `held` of the key's budget too.
alter table ledger_holds add column key_id uuid, add column budgeted boolean not null default false;
"""


def upgrade() -> None:
    op.execute(KEYS)
    op.execute(BUDGETS)
    for statement in protect("key_budgets"):
        op.execute(statement)
