"""pre: providers and models"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Prices are micro-credits: per million tokens in and out, and per request.
TABLES = """
create table providers (
  id uuid primary key,
  name text not null constraint uq_providers_name unique,
  kind text not null check (kind in ('openai', 'anthropic', 'embedded')),
  base_url text,
  api_key_sealed bytea,
  allow_private boolean not null default false,
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (kind = 'embedded' or base_url is not null)
);
create table models (
  id uuid primary key,
  name text not null constraint uq_models_name unique,
  aliases text[] not null default '{}',
  provider_id uuid not null references providers(id) on delete cascade,
  kind text not null check (kind in ('chat', 'embedding')),
  upstream_name text not null,
  context_length integer not null check (context_length > 0),
  max_output integer check (max_output > 0),
  input_price bigint not null check (input_price >= 0),
  output_price bigint not null check (output_price >= 0),
  request_price bigint not null default 0 check (request_price >= 0),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index idx_models_provider_id on models (provider_id);
create index idx_models_aliases on models using gin (aliases);
create function announce_catalogue() returns trigger language plpgsql as $$
begin
  perform pg_notify('aihub_invalidate', 'catalogue');
  return null;
end $$;
create trigger providers_announce after insert or update or delete on providers
  for each statement execute function announce_catalogue();
create trigger models_announce after insert or update or delete on models
  for each statement execute function announce_catalogue();
"""


def upgrade() -> None:
    op.execute(TABLES)
