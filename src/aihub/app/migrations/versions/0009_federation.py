"""pre: sign-in through OpenID Connect providers"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = """
create table identity_providers (
  id uuid primary key,
  -- What stands in the address that the provider sends people back to; it never changes.
  handle text not null unique check (handle ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
  name text not null,
  issuer text not null,
  client_id text not null,
  client_secret bytea,
  scopes text[] not null default '{}',
  enabled boolean not null default true,
  allow_private boolean not null default false,
  create_accounts boolean not null default false,
  trust_addresses boolean not null default false,
  domains text[] not null default '{}',
  group_claim text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table identity_provider_groups (
  provider_id uuid not null references identity_providers(id) on delete cascade,
  group_name text not null,
  role_id uuid not null references roles(id) on delete cascade,
  primary key (provider_id, group_name, role_id)
);
create index idx_identity_provider_groups_role_id on identity_provider_groups (role_id);

-- Which of somebody's roles a provider gave. What was granted by hand has no row here; when the role itself
-- is taken away, the row goes with it.
create table user_role_sources (
  user_id uuid not null,
  role_id uuid not null,
  provider_id uuid not null references identity_providers(id) on delete cascade,
  primary key (user_id, role_id, provider_id),
  foreign key (user_id, role_id) references user_roles(user_id, role_id) on delete cascade
);
create index idx_user_role_sources_provider_id on user_role_sources (provider_id);

create table linked_sign_ins (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  provider_id uuid not null references identity_providers(id) on delete cascade,
  issuer text not null,
  subject text not null,
  email text,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  unique (issuer, subject)
);
create index idx_linked_sign_ins_owner_id on linked_sign_ins (owner_id);
create index idx_linked_sign_ins_provider_id on linked_sign_ins (provider_id);

-- Somebody was sent to a provider. Taken by the first answer that comes back in the same browser.
create table federation_attempts (
  id uuid primary key,
  provider_id uuid not null references identity_providers(id) on delete cascade,
  purpose text not null check (purpose in ('sign-in', 'link', 'proof')),
  -- Who began it, where somebody was signed in.
  owner_id uuid references users(id) on delete cascade,
  session_id uuid,
  state_hash bytea not null unique,
  browser_hash bytea not null,
  redirect_uri text not null,
  next_path text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index idx_federation_attempts_owner_id on federation_attempts (owner_id);
create index idx_federation_attempts_provider_id on federation_attempts (provider_id);
create index idx_federation_attempts_expires_at on federation_attempts (expires_at);

-- Somebody came back from a provider and has one more step to take in the same browser: to sign in to the
-- account that has the same address (`link`), or to show the code of their account (`code`).
create table federation_waiting (
  id uuid primary key,
  provider_id uuid not null references identity_providers(id) on delete cascade,
  step text not null check (step in ('link', 'code')),
  owner_id uuid references users(id) on delete cascade,
  browser_hash bytea not null unique,
  identity jsonb not null,
  next_path text not null,
  expires_at timestamptz not null
);
create index idx_federation_waiting_owner_id on federation_waiting (owner_id);
create index idx_federation_waiting_provider_id on federation_waiting (provider_id);
create index idx_federation_waiting_expires_at on federation_waiting (expires_at);
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("linked_sign_ins", "federation_attempts", "federation_waiting"):
        for statement in protect(table):
            op.execute(statement)
