"""pre: access tokens, refresh families, signing keys"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
-- The name of the program that signed in; null for a browser.
alter table sessions add column client text;

-- The browser or session that failed, when it was signed in to the account before. Such failures count for
-- it alone, and failures of strangers do not count for it.
alter table sign_in_attempts add column known bytea;
create index idx_sign_in_attempts_known on sign_in_attempts (known, at) where known is not null;

-- A family is the session that its first token began with. `used_at`: a newer one has taken its place.
create table refresh_tokens (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  session_id uuid not null references sessions(id) on delete cascade,
  token_hash bytea not null unique,
  scopes text[] not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index idx_refresh_tokens_owner_id on refresh_tokens (owner_id);
create index idx_refresh_tokens_session_id on refresh_tokens (session_id);

create table signing_keys (
  kid text primary key,
  state text not null constraint ck_signing_keys_state check (state in ('next', 'current', 'retired')),
  public_key jsonb not null,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  activated_at timestamptz,
  retired_at timestamptz
);
create unique index idx_signing_keys_one on signing_keys (state) where state in ('next', 'current');

create function announce_tokens() returns trigger language plpgsql as $$
begin
  if tg_table_name = 'signing_keys' then
    perform pg_notify('aihub_invalidate', 'signing-keys');
  elsif tg_op = 'TRUNCATE' then
    perform pg_notify('aihub_invalidate', 'token:*');
  else
    perform pg_notify('aihub_invalidate', 'token:' || old.id::text);
  end if;
  return null;
end $$;
create trigger sessions_announce_tokens
  after update of owner_id, revoked_at, expires_at, proved_at, second_factor, client or delete on sessions
  for each row when (old.client is not null) execute function announce_tokens();
create trigger sessions_announce_tokens_truncate after truncate on sessions
  for each statement execute function announce_tokens();
create trigger signing_keys_announce after insert or update or delete or truncate on signing_keys
  for each statement execute function announce_tokens();
"""


def upgrade() -> None:
    op.execute(TABLES)
    for statement in protect("refresh_tokens"):
        op.execute(statement)
