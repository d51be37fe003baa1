"""pre: exports of one's data, deletions of accounts and their certificates"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = """
-- When the account will be erased. Until then it can do nothing but be kept after all.
alter table users add column leaving_at timestamptz;
create function announce_leaving() returns trigger language plpgsql as $$
begin
  perform pg_notify('aihub_invalidate', 'leaving:' || old.id::text);
  return null;
end $$;
create trigger users_announce_leaving after update of leaving_at or delete on users
  for each row execute function announce_leaving();
create index idx_users_leaving_at on users (leaving_at) where leaving_at is not null;

-- A letter that must not outlive its delivery: the last one to somebody who is erased.
alter table outbox add column fleeting boolean not null default false;

create table data_exports (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  requested_by uuid references users(id) on delete set null,
  reason text not null default '',
  status text not null default 'waiting' check (status in ('waiting', 'running', 'ready', 'failed')),
  -- The part of the file's name that nobody can guess.
  secret text not null,
  rows_done bigint not null default 0,
  rows_total bigint not null default 0,
  size bigint,
  error text,
  created_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  finished_at timestamptz,
  expires_at timestamptz
);
create unique index idx_data_exports_one on data_exports (owner_id) where status in ('waiting', 'running');
create index idx_data_exports_owner_id on data_exports (owner_id, created_at);
create index idx_data_exports_requested_by on data_exports (requested_by);
create index idx_data_exports_expires_at on data_exports (expires_at) where expires_at is not null;

-- The id of a deletion is the pseudonym under which what must be kept is kept.
create table deletions (
  id uuid primary key,
  owner_id uuid references users(id) on delete set null,
  requested_by uuid references users(id) on delete set null,
  way text not null check (way in ('self', 'administrator', 'operator')),
  reason text not null default '',
  stage text not null default 'waiting' check (stage in ('waiting', 'erasing', 'done', 'cancelled')),
  requested_at timestamptz not null default now(),
  due_at timestamptz not null,
  begun_at timestamptz,
  ended_at timestamptz,
  erased jsonb not null default '{}'
);
create unique index idx_deletions_one on deletions (owner_id) where stage in ('waiting', 'erasing');
create index idx_deletions_owner_id on deletions (owner_id, requested_at);
create index idx_deletions_requested_by on deletions (requested_by);
create index idx_deletions_due_at on deletions (due_at) where stage in ('waiting', 'erasing');

-- Without an owner: nothing in it points at a person.
create table deletion_certificates (
  id uuid primary key references deletions(id) on delete cascade,
  document jsonb not null,
  token_hash bytea not null unique,
  issued_at timestamptz not null
);

-- What was paid stays on the books when the account is erased, so it no longer goes with it.
alter table ledger_accounts drop constraint ledger_accounts_owner_id_fkey;
alter table ledger_accounts drop constraint ledger_accounts_key_id_fkey;

-- An entry's money never changes. Whose it is may be forgotten, and what somebody wrote beside it.
create or replace function ledger_refuse() returns trigger language plpgsql as $$
declare
  free constant text[] := array['owner_id', 'reason', 'idempotency_key'];
begin
  if current_setting('aihub.forgetting', true) = 'on'
     and to_jsonb(new) - free = to_jsonb(old) - free then
    return new;
  end if;
  raise exception 'ledger entries are append-only' using errcode = 'insufficient_privilege';
end $$;

-- The only way to such a change. Works with the rights of the schema's owner, and only for a person whose
-- deletion has begun. Returns how many entries had their owner forgotten.
create function ledger_forget(deletion uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  person uuid;
  forgotten bigint;
begin
  perform set_config('aihub.scope', 'system', true);
  select owner_id into person from public.deletions where id = deletion and stage = 'erasing';
  if person is null then
    raise exception 'no deletion of this id has begun' using errcode = 'insufficient_privilege';
  end if;
  perform set_config('aihub.forgetting', 'on', true);
  update public.ledger_entries
  set owner_id = deletion, reason = '', idempotency_key = 'erased:' || id
  where owner_id = person;
  get diagnostics forgotten = row_count;
  -- What this person granted to others names them in its idempotency key.
  update public.ledger_entries
  set idempotency_key = replace(idempotency_key, person::text, deletion::text)
  where strpos(idempotency_key, person::text) > 0;
  perform set_config('aihub.forgetting', 'off', true);
  return forgotten;
end $$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("data_exports", "deletions"):
        for statement in protect(table):
            op.execute(statement)
