"""pre: roles, jobs, audit, keys, idempotency"""

from alembic import op
from procrastinate.schema import SchemaManager

from aihub.kernel.db.rls import protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLES = """
do $$
begin
  if not exists (select from pg_roles where rolname = 'aihub_app') then
    create role aihub_app nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'aihub_backup') then
    create role aihub_backup nologin;
  end if;
  if not pg_has_role(current_user, 'aihub_app', 'member') then
    grant aihub_app to current_user;
  elsif current_setting('server_version_num')::int >= 160000 then
    -- Who creates a role is a member that may grant it, but not yet act as it.
    if not pg_has_role(current_user, 'aihub_app', 'set') then
      grant aihub_app to current_user;
    end if;
  end if;
end $$;
"""

GRANTS = [
    "create extension if not exists vector",
    "create extension if not exists pg_trgm",
    "grant usage on schema public to aihub_app, aihub_backup",
    "grant select on alembic_version to aihub_app, aihub_backup",
    "alter default privileges in schema public grant select, insert, update, delete on tables to aihub_app",
    "alter default privileges in schema public grant usage, select, update on sequences to aihub_app",
    "alter default privileges in schema public grant execute on functions to aihub_app",
    "alter default privileges in schema public grant select on tables to aihub_backup",
    "alter default privileges in schema public grant select on sequences to aihub_backup",
]

TABLES = """
create table master_keys (
  version integer primary key,
  salt bytea not null,
  fingerprint bytea not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz
);
create table data_keys (
  id uuid primary key,
  owner_id uuid,
  master_version integer not null references master_keys(version),
  nonce bytea,
  tag bytea,
  wrapped bytea,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz,
  check ((destroyed_at is null) = (wrapped is not null))
);
create unique index idx_data_keys_owner_live on data_keys (owner_id) nulls not distinct
  where destroyed_at is null;

create table audit_head (
  one boolean primary key default true check (one),
  seq bigint not null,
  hash bytea not null
);
insert into audit_head (seq, hash) values (0, decode(repeat('00', 32), 'hex'));
create table audit_log (
  seq bigint primary key,
  id uuid not null unique,
  at timestamptz not null,
  actor_id uuid,
  actor text not null,
  action text not null,
  target_kind text not null,
  target_id text not null,
  request_id text,
  ip text,
  details text not null,
  previous bytea not null,
  hash bytea not null
);
create index idx_audit_log_at on audit_log (at);
create index idx_audit_log_actor_id on audit_log (actor_id, seq);
create index idx_audit_log_action on audit_log (action, seq);
create function audit_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_append_only before update or delete on audit_log
  for each row execute function audit_refuse();
create trigger audit_log_no_truncate before truncate on audit_log
  for each statement execute function audit_refuse();

create table idempotency_records (
  owner_id uuid not null,
  route text not null,
  key text not null,
  body_hash bytea not null,
  status integer,
  response jsonb,
  created_at timestamptz not null default now(),
  primary key (owner_id, route, key)
);
create index idx_idempotency_records_created_at on idempotency_records (created_at);

create table job_errors (
  id bigint generated always as identity primary key,
  job_id bigint not null references procrastinate_jobs(id) on delete cascade,
  attempt integer not null,
  error text not null,
  at timestamptz not null default now()
);
create index idx_job_errors_job_id on job_errors (job_id, id);
"""


def upgrade() -> None:
    op.execute(ROLES)
    for statement in GRANTS:
        op.execute(statement)
    op.execute(SchemaManager.get_schema().replace("%%", "%"))
    op.execute(TABLES)
    op.execute("revoke update, delete on audit_log from aihub_app")
    op.execute("revoke insert, delete on audit_head from aihub_app")
    for statement in protect("idempotency_records"):
        op.execute(statement)
