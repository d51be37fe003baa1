"""pre: passkeys, second factors, and when a session was last proven"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
-- `proved_at`: when its person last showed that it is still them. `second_factor`: whether more than a
-- password was shown.
alter table sessions add column proved_at timestamptz;
alter table sessions add column second_factor boolean not null default false;
drop trigger sessions_announce on sessions;
create trigger sessions_announce
  after update of owner_id, token_hash, revoked_at, expires_at, proved_at, second_factor or delete on sessions
  for each row execute function announce_access();

create table passkeys (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  credential_id bytea not null unique,
  public_key bytea not null,
  sign_count bigint not null,
  rp_id text not null,
  name text not null,
  synced boolean not null,
  transports text[] not null default '{}',
  created_at timestamptz not null default now(),
  last_used_at timestamptz
);
create index idx_passkeys_owner_id on passkeys (owner_id);

-- What a browser must sign next. Without an owner: somebody who has yet to sign in.
create table auth_challenges (
  id uuid primary key,
  owner_id uuid references users(id) on delete cascade,
  purpose text not null,
  challenge bytea not null,
  rp_id text not null,
  origin text not null,
  expires_at timestamptz not null
);
create index idx_auth_challenges_owner_id on auth_challenges (owner_id);
create index idx_auth_challenges_expires_at on auth_challenges (expires_at);

-- `pending` becomes `secret` once a code has shown that the person's device holds it.
create table totp_secrets (
  owner_id uuid primary key references users(id) on delete cascade,
  secret bytea,
  pending bytea,
  confirmed_at timestamptz,
  last_step bigint not null default 0
);

create table recovery_codes (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  code_hash bytea not null,
  created_at timestamptz not null default now(),
  used_at timestamptz,
  unique (owner_id, code_hash)
);
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("passkeys", "auth_challenges", "totp_secrets", "recovery_codes"):
        for statement in protect(table):
            op.execute(statement)
