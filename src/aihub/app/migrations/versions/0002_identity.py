"""pre: users, roles, permissions, sessions, keys"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
create table users (
  id uuid primary key,
  email text not null,
  phone_number text,
  name text not null default '',
  password_hash text,
  active boolean not null default true,
  locale text not null default 'en',
  theme text not null default 'system',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_sign_in_at timestamptz
);
create unique index idx_users_email on users (lower(email));
create unique index idx_users_phone on users (phone_number) where phone_number is not null;

create table roles (
  id uuid primary key,
  name text not null unique,
  title text not null,
  is_system boolean not null default false,
  created_at timestamptz not null default now()
);
create table permissions (
  id uuid primary key,
  name text not null unique,
  resource text not null,
  action text not null,
  title text not null,
  unique (resource, action)
);
create table role_permissions (
  role_id uuid not null references roles(id) on delete cascade,
  permission_id uuid not null references permissions(id) on delete cascade,
  granted_at timestamptz not null default now(),
  primary key (role_id, permission_id)
);
create table user_roles (
  user_id uuid not null references users(id) on delete cascade,
  role_id uuid not null references roles(id) on delete restrict,
  assigned_at timestamptz not null default now(),
  assigned_by uuid,
  primary key (user_id, role_id)
);
create index idx_user_roles_role_id on user_roles (role_id);
-- What has once been granted because the software says so. A grant that an operator took away stays away.
create table role_defaults (
  role_id uuid not null references roles(id) on delete cascade,
  permission_id uuid not null references permissions(id) on delete cascade,
  primary key (role_id, permission_id)
);

create table sessions (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  token_hash bytea not null unique,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ip text,
  user_agent text,
  revoked_at timestamptz
);
create index idx_sessions_owner_id on sessions (owner_id);

create table api_keys (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  name text not null,
  prefix text not null,
  hash bytea not null unique,
  scopes text[] not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index idx_api_keys_owner_id on api_keys (owner_id);

create table setup_links (
  token_hash bytea primary key,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);

-- An attempt is written before the password is looked at, so that guesses side by side count each other.
create table sign_in_attempts (
  id bigint generated always as identity primary key,
  account_hash bytea not null,
  ip_prefix text not null,
  at timestamptz not null default now(),
  failed boolean not null default false
);
create index idx_sign_in_attempts_account on sign_in_attempts (account_hash, at);
create index idx_sign_in_attempts_ip on sign_in_attempts (ip_prefix, at);

-- Whoever changes what somebody may do, by whatever means, tells every process at once.
create function announce_access() returns trigger language plpgsql as $$
begin
  if tg_op = 'TRUNCATE' then
    perform pg_notify('aihub_invalidate', kind || ':*') from unnest(array['access', 'key', 'session']) kind;
  elsif tg_table_name = 'user_roles' then
    if tg_op <> 'INSERT' then
      perform pg_notify('aihub_invalidate', 'access:' || old.user_id::text);
    end if;
    if tg_op <> 'DELETE' then
      perform pg_notify('aihub_invalidate', 'access:' || new.user_id::text);
    end if;
  elsif tg_table_name = 'users' then
    perform pg_notify('aihub_invalidate', 'access:' || old.id::text);
  elsif tg_table_name = 'api_keys' then
    perform pg_notify('aihub_invalidate', 'key:' || encode(old.hash, 'hex'));
  elsif tg_table_name = 'sessions' then
    perform pg_notify('aihub_invalidate', 'session:' || encode(old.token_hash, 'hex'));
  else
    perform pg_notify('aihub_invalidate', 'access:*');
  end if;
  return null;
end $$;
create trigger user_roles_announce after insert or update or delete on user_roles
  for each row execute function announce_access();
create trigger role_permissions_announce after insert or update or delete on role_permissions
  for each statement execute function announce_access();
create trigger roles_announce after update or delete on roles
  for each statement execute function announce_access();
create trigger permissions_announce after update or delete on permissions
  for each statement execute function announce_access();
create trigger users_announce after update of active, email, name or delete on users
  for each row execute function announce_access();
create trigger api_keys_announce
  after update of owner_id, hash, revoked_at, expires_at, scopes or delete on api_keys
  for each row execute function announce_access();
create trigger sessions_announce
  after update of owner_id, token_hash, revoked_at, expires_at or delete on sessions
  for each row execute function announce_access();
create trigger users_announce_truncate after truncate on users
  for each statement execute function announce_access();
create trigger user_roles_announce_truncate after truncate on user_roles
  for each statement execute function announce_access();
create trigger role_permissions_announce_truncate after truncate on role_permissions
  for each statement execute function announce_access();
create trigger api_keys_announce_truncate after truncate on api_keys
  for each statement execute function announce_access();
create trigger sessions_announce_truncate after truncate on sessions
  for each statement execute function announce_access();
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("sessions", "api_keys"):
        for statement in protect(table):
            op.execute(statement)
