"""pre: conversations, messages, attachments, runs and their stored events"""

from alembic import op

from aihub.kernel.db.rls import protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Texts are searched by their owner only. Row-level security keeps a pattern match from being used as
# an index condition (it is not leakproof), so the owner's index is the one that helps a search.
TABLES = """
create table conversations (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  title text not null default '',
  model text,
  system_prompt text not null default '',
  current_message_id uuid,
  archived boolean not null default false,
  share_token text unique,
  shared_at timestamptz,
  shared_message_id uuid,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index idx_conversations_user_id on conversations (owner_id, updated_at desc, id desc)
  where deleted_at is null;
create index idx_conversations_deleted_at on conversations (deleted_at) where deleted_at is not null;

create table runs (
  id uuid primary key,
  owner_id uuid not null references users(id) on delete cascade,
  conversation_id uuid not null references conversations(id) on delete cascade,
  message_id uuid not null,
  status text not null default 'running'
    check (status in ('running', 'complete', 'stopped', 'interrupted', 'failed')),
  process text not null,
  heartbeat_at timestamptz not null default now(),
  stop_requested boolean not null default false,
  last_event bigint not null default 0,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);
create index idx_runs_running on runs (heartbeat_at) where status = 'running';
create unique index idx_runs_one_per_conversation on runs (conversation_id) where status = 'running';
create index idx_runs_conversation_id on runs (conversation_id);
create index idx_runs_owner_id on runs (owner_id, created_at);
create index idx_runs_finished_at on runs (finished_at) where finished_at is not null;

create table messages (
  id uuid primary key,
  conversation_id uuid not null references conversations(id) on delete cascade,
  owner_id uuid not null references users(id) on delete cascade,
  parent_id uuid references messages(id) on delete cascade,
  role text not null check (role in ('user', 'assistant')),
  text text not null default '',
  parts jsonb not null default '[]',
  status text not null default 'complete'
    check (status in ('complete', 'streaming', 'stopped', 'interrupted', 'failed')),
  error jsonb,
  model text,
  metadata jsonb not null default '{}',
  input_tokens bigint,
  output_tokens bigint,
  credits bigint,
  run_id uuid,
  created_at timestamptz not null default now()
);
create index idx_messages_conversation_id on messages (conversation_id, created_at);
create index idx_messages_timestamp on messages (created_at);
create index idx_messages_parent_id on messages (parent_id);
create index idx_messages_owner_id on messages (owner_id);

create table attachments (
  id uuid primary key,
  message_id uuid not null references messages(id) on delete cascade,
  conversation_id uuid not null references conversations(id) on delete cascade,
  owner_id uuid not null references users(id) on delete cascade,
  position integer not null,
  name text not null,
  size bigint not null,
  text text not null
);
create index idx_attachments_message_id on attachments (message_id, position);
create index idx_attachments_conversation_id on attachments (conversation_id);

create table run_events (
  run_id uuid not null references runs(id) on delete cascade,
  seq bigint not null,
  owner_id uuid not null,
  data text not null,
  created_at timestamptz not null default now(),
  primary key (run_id, seq)
);
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("conversations", "runs", "messages", "attachments", "run_events"):
        for statement in protect(table):
            op.execute(statement)
