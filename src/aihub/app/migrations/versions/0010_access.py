"""pre: custom roles, expiring grants, grants on single things"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROLES = """
alter table roles add column parent_id uuid references roles(id) on delete restrict;
alter table roles add constraint ck_roles_parent check (parent_id <> id);
create index idx_roles_parent_id on roles (parent_id);

-- A role never inherits from itself, over however many others, whoever writes and however many at once:
-- the lock lets one change look at a time, and each look is a statement of its own that sees the one before.
create function roles_without_cycles() returns trigger language plpgsql as $$
begin
  if new.parent_id is null then
    return null;
  end if;
  perform pg_advisory_xact_lock(7302640204);
  if exists (
    with recursive above as (
      select new.parent_id as id
      union
      select r.parent_id from roles r join above a on r.id = a.id where r.parent_id is not null
    )
    select from above where id = new.id
  ) then
    raise exception 'role % would inherit from itself', new.name
      using errcode = 'check_violation', constraint = 'roles_without_cycles';
  end if;
  return null;
end $$;
create trigger roles_without_cycles after insert or update of parent_id on roles
  for each row execute function roles_without_cycles();
"""

GRANTS = """
-- `expiry_noted`: the end of an expired grant stands in the audit trail. It has no effect from the moment
-- it ends; the row stays for a while, so that people can be told what they had.
alter table user_roles add column expires_at timestamptz;
alter table user_roles add column reason text not null default '';
alter table user_roles add column expiry_noted boolean not null default false;
create index idx_user_roles_expires_at on user_roles (expires_at) where expires_at is not null;

-- Every role somebody has at that moment: those given to them, and those that these inherit from.
-- `path` leads from the given role to this one; `until` is when the giving ends.
create function held_roles(person uuid, at timestamptz)
returns table (role_id uuid, given_id uuid, path text[], until timestamptz) language sql stable as $$
  with recursive held as (
    select r.id, r.id as given, array[r.name] as path, r.parent_id, ur.expires_at
    from user_roles ur join roles r on r.id = ur.role_id
    where ur.user_id = person and (ur.expires_at is null or ur.expires_at > at)
    union all
    select r.id, h.given, h.path || r.name, r.parent_id, h.expires_at
    from held h join roles r on r.id = h.parent_id
    where r.name <> all (h.path)
  )
  select id, given, path, expires_at from held
$$;

-- A permission on one thing, for a person (its owner) or for everybody with a role.
create table resource_grants (
  id uuid primary key,
  owner_id uuid references users(id) on delete cascade,
  role_id uuid references roles(id) on delete cascade,
  permission_id uuid not null references permissions(id) on delete cascade,
  resource_id text not null,
  granted_at timestamptz not null default now(),
  granted_by uuid,
  expires_at timestamptz,
  reason text not null default '',
  expiry_noted boolean not null default false,
  constraint ck_resource_grants_one_grantee check (num_nonnulls(owner_id, role_id) = 1)
);
create unique index idx_resource_grants_owner on resource_grants (owner_id, permission_id, resource_id)
  where owner_id is not null;
create unique index idx_resource_grants_role on resource_grants (role_id, permission_id, resource_id)
  where role_id is not null;
create index idx_resource_grants_resource on resource_grants (permission_id, resource_id);
create index idx_resource_grants_expires_at on resource_grants (expires_at) where expires_at is not null;

-- People see what they were given, themselves or through a role; only the hub gives and takes.
alter table resource_grants enable row level security;
alter table resource_grants force row level security;
create policy owner_only on resource_grants for select using (
  current_setting('aihub.scope', true) = 'system'
  or owner_id = nullif(current_setting('aihub.owner', true), '')::uuid
  or role_id in (
    select h.role_id from held_roles(nullif(current_setting('aihub.owner', true), '')::uuid, now()) h
  )
);
create policy hub_only on resource_grants using (current_setting('aihub.scope', true) = 'system')
  with check (current_setting('aihub.scope', true) = 'system');

create function announce_resource_grants() returns trigger language plpgsql as $$
begin
  if tg_op = 'TRUNCATE' then
    perform pg_notify('aihub_invalidate', 'access:*');
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform pg_notify('aihub_invalidate', 'access:' || coalesce(old.owner_id::text, '*'));
  end if;
  if tg_op <> 'DELETE' then
    perform pg_notify('aihub_invalidate', 'access:' || coalesce(new.owner_id::text, '*'));
  end if;
  return null;
end $$;
create trigger resource_grants_announce after insert or update or delete on resource_grants
  for each row execute function announce_resource_grants();
create trigger resource_grants_announce_truncate after truncate on resource_grants
  for each statement execute function announce_resource_grants();
"""

MODELS = """
-- A restricted model exists only for those who may use every model, or this one.
alter table models add column restricted boolean not null default false;

-- Whoever removes a model sees only what was given to them; what was given on the model goes all the same.
create function forget_grants_on_model() returns trigger language plpgsql as $$
declare
  scope text := current_setting('aihub.scope', true);
begin
  perform set_config('aihub.scope', 'system', true);
  delete from resource_grants g using permissions p
    where p.id = g.permission_id and p.resource = 'models' and g.resource_id = old.id::text;
  perform set_config('aihub.scope', coalesce(scope, ''), true);
  return null;
end $$;
create trigger models_forget_grants after delete on models
  for each row execute function forget_grants_on_model();
"""


def upgrade() -> None:
    for statements in (ROLES, GRANTS, MODELS):
        op.execute(statements)
