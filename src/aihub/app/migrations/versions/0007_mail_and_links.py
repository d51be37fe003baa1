"""pre: letters, one-time links, verified addresses"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
alter table users add column email_verified_at timestamptz;

create table one_time_links (
  id uuid primary key,
  -- Whose account the link changes; an invitation makes one and has none yet.
  owner_id uuid references users(id) on delete cascade,
  kind text not null check (kind in ('invitation', 'password_reset', 'email_verification')),
  token_hash bytea not null unique,
  email text not null,
  name text not null default '',
  roles text[] not null default '{}',
  locale text not null default 'en',
  created_by uuid references users(id) on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  revoked_at timestamptz
);
create index idx_one_time_links_owner_id on one_time_links (owner_id);
create index idx_one_time_links_created_by on one_time_links (created_by);
create unique index idx_one_time_links_invitation on one_time_links (email)
  where kind = 'invitation' and used_at is null and revoked_at is null;

create table outbox (
  id uuid primary key,
  owner_id uuid references users(id) on delete cascade,
  kind text not null,
  to_address text not null,
  locale text not null,
  subject text not null,
  -- Text and HTML; gone once the letter is sent or its link has expired.
  sealed bytea,
  message_id text not null unique,
  status text not null default 'waiting' check (status in ('waiting', 'sent', 'failed', 'expired')),
  attempts bigint not null default 0,
  error text,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  sent_at timestamptz
);
create index idx_outbox_owner_id on outbox (owner_id);
create index idx_outbox_waiting on outbox (created_at) where status = 'waiting';
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("one_time_links", "outbox"):
        for statement in protect(table):
            op.execute(statement)
