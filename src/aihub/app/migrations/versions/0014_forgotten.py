"""pre: what names somebody who was erased is not written any more"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Processes write security events a little after they happened, so also after the erasure of a person. An
# erasure locks the table and is an entry of the audit log; whoever writes later sees that entry.
STATEMENTS = """
create index idx_audit_log_erased on audit_log (target_id) where action = 'audit.erase';

create function security_events_forget() returns trigger language plpgsql as $$
begin
  if exists (
    select from audit_log where action = 'audit.erase' and target_id = any(array(
      select ((regexp_matches(
        lower(concat_ws(' ', new.subject_id, new.subject, new.facts)),
        '[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}', 'g'))[1]::uuid)::text))
  ) then
    return null;
  end if;
  return new;
end $$;
create trigger security_events_forget before insert on security_events
  for each row execute function security_events_forget();
"""


def upgrade() -> None:
    op.execute(STATEMENTS)
