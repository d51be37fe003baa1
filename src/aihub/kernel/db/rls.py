"""Row-level security for tables with an owner, as statements for migrations.

Two settings decide, both local to a transaction and set by `Database.work`: `aihub.owner` and
`aihub.scope`. Without them a connection sees nothing.
"""


def protect(table: str, owner: str = "owner_id") -> list[str]:
    """Statements that bind every access to `table` to its owner, also for the table's own owner."""
    rule = (
        f"current_setting('aihub.scope', true) = 'system' "
        f"or {owner} = nullif(current_setting('aihub.owner', true), '')::uuid"
    )
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy owner_only on {table} using ({rule}) with check ({rule})",
    ]
