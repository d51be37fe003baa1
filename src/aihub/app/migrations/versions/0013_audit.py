"""pre: audit checkpoints, before and after, security events"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# From version 2 of the chain on, what is personal stands beside the chain: the hash of an entry covers two
# salted digests, `who` (name, address, browser) and `what` (details, changes), and not the texts themselves.
# Removing a text together with its salt leaves the chain whole and the text unguessable.
COLUMNS = """
alter table audit_log
  alter column actor drop not null,
  alter column details drop not null,
  add column chain smallint not null default 1,
  add column subject_id uuid,
  add column session_id uuid,
  add column key_id uuid,
  add column user_agent text,
  add column changes text,
  add column who_salt bytea,
  add column what_salt bytea,
  add column who bytea,
  add column what bytea;
create index idx_audit_log_subject_id on audit_log (subject_id, seq) where subject_id is not null;
create index idx_audit_log_target on audit_log (target_kind, target_id, seq);
create index idx_audit_log_ip on audit_log (ip, seq) where ip is not null;

-- Two functions of the table's owner say in `aihub.audit_pass` what they are about to do; even then an
-- update may do nothing but remove what is personal.
create or replace function audit_refuse() returns trigger language plpgsql as $$
declare
  pass text := current_setting('aihub.audit_pass', true);
  personal text[] := array['actor', 'ip', 'user_agent', 'who_salt', 'details', 'changes', 'what_salt'];
begin
  if tg_op = 'DELETE' and pass = 'prune' then
    return old;
  end if;
  if tg_op = 'UPDATE' and pass = 'erase'
     and to_jsonb(new) - personal = to_jsonb(old) - personal
     and jsonb_strip_nulls(to_jsonb(new)) <@ to_jsonb(old) then
    return new;
  end if;
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;

create function audit_erase(person uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  erased bigint;
begin
  perform set_config('aihub.audit_pass', 'erase', true);
  update audit_log set
    actor = case when actor_id = person then null else actor end,
    ip = case when actor_id = person then null else ip end,
    user_agent = case when actor_id = person then null else user_agent end,
    who_salt = case when actor_id = person then null else who_salt end,
    details = case when subject_id = person then null else details end,
    changes = case when subject_id = person then null else changes end,
    what_salt = case when subject_id = person then null else what_salt end
  where chain >= 2 and ((actor_id = person and who_salt is not null)
                        or (subject_id = person and what_salt is not null));
  get diagnostics erased = row_count;
  perform set_config('aihub.audit_pass', '', true);
  return erased;
end $$;

-- Signed statements of how the log stood. The same lines stand in a file outside of the database.
create table audit_checkpoints (
  id uuid primary key,
  kind text not null,
  seq bigint not null,
  hash bytea not null,
  first bigint not null,
  base bigint,
  at timestamptz not null,
  reason text not null,
  key bytea not null,
  signature bytea not null
);
create index idx_audit_checkpoints_seq on audit_checkpoints (seq);
create trigger audit_checkpoints_append_only before update or delete or truncate on audit_checkpoints
  for each statement execute function audit_refuse();

-- Removes the oldest entries, up to a signed anchor, never the last one and none younger than 30 days.
create function audit_prune(upto bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  pruned bigint;
begin
  if not exists (select from audit_checkpoints c join audit_log l on l.seq = c.seq and l.hash = c.hash
                 where c.kind = 'anchor' and c.seq = upto)
     or upto >= (select seq from audit_head)
     or exists (select from audit_log where seq <= upto and at > now() - interval '30 days') then
    raise exception 'these entries may not be removed' using errcode = 'insufficient_privilege';
  end if;
  perform set_config('aihub.audit_pass', 'prune', true);
  delete from audit_log where seq <= upto;
  get diagnostics pruned = row_count;
  perform set_config('aihub.audit_pass', '', true);
  return pruned;
end $$;

-- How a check of the whole log goes, or went.
create table audit_verifications (
  id uuid primary key,
  started_at timestamptz not null default now(),
  moved_at timestamptz not null default now(),
  finished_at timestamptz,
  up_to bigint not null default 0,
  head bigint not null default 0,
  rows bigint not null default 0,
  ok boolean,
  problems jsonb not null default '[]',
  warnings jsonb not null default '[]'
);
create index idx_audit_verifications_started_at on audit_verifications (started_at);

-- One row per kind, subject and minute: an attack makes counts grow, not the table.
create table security_events (
  id uuid primary key,
  kind text not null,
  severity text not null check (severity in ('info', 'warning', 'critical')),
  subject text not null,
  subject_id uuid,
  minute timestamptz not null,
  count bigint not null check (count > 0),
  first_at timestamptz not null,
  last_at timestamptz not null,
  facts jsonb not null,
  unique (kind, subject, minute)
);
create index idx_security_events_last_at on security_events (last_at desc, id);
create index idx_security_events_subject_id on security_events (subject_id) where subject_id is not null;
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute("revoke update, delete on audit_checkpoints from aihub_app")
    for function in ("audit_erase(uuid)", "audit_prune(bigint)"):
        op.execute(f"revoke execute on function {function} from public")
        op.execute(f"grant execute on function {function} to aihub_app")
