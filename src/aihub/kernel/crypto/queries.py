"""Every statement on the key tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from aihub.kernel.db import Work


@dataclass(frozen=True, slots=True)
class MasterVersion:
    version: int
    salt: bytes
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class DataKeyRow:
    """`wrapped` is None once the key was destroyed."""

    id: UUID
    owner_id: UUID | None
    master_version: int
    nonce: bytes | None
    tag: bytes | None
    wrapped: bytes | None


_COLUMNS = "id, owner_id, master_version, nonce, tag, wrapped"


def _data_key(row: Row[Any]) -> DataKeyRow:
    return DataKeyRow(row.id, row.owner_id, row.master_version, row.nonce, row.tag, row.wrapped)


async def lock_master_versions(work: Work) -> Sequence[MasterVersion]:
    """All versions, oldest first, with every other writer of versions kept out until commit."""
    await work.session.execute(text("select pg_advisory_xact_lock(hashtext('aihub.master_keys'))"))
    return await master_versions(work)


async def master_versions(work: Work) -> Sequence[MasterVersion]:
    rows = await work.session.execute(
        text("select version, salt, fingerprint from master_keys order by version")
    )
    return [MasterVersion(r.version, r.salt, r.fingerprint) for r in rows]


async def insert_master_version(work: Work, version: MasterVersion) -> None:
    await work.session.execute(
        text("insert into master_keys (version, salt, fingerprint) values (:version, :salt, :fingerprint)"),
        {"version": version.version, "salt": version.salt, "fingerprint": version.fingerprint},
    )


async def retire_unused_versions(work: Work, current: int) -> None:
    await work.session.execute(
        text(
            "update master_keys m set retired_at = now() where retired_at is null and version <> :current "
            "and not exists (select from data_keys d where d.master_version = m.version "
            "and d.destroyed_at is null)"
        ),
        {"current": current},
    )


async def versions_in_use(work: Work) -> set[int]:
    """The versions that wrap a data key which is still alive."""
    rows = await work.session.execute(
        text("select distinct master_version from data_keys where destroyed_at is null")
    )
    return set(rows.scalars())


async def data_key(work: Work, key_id: UUID) -> DataKeyRow | None:
    rows = await work.session.execute(
        text(f"select {_COLUMNS} from data_keys where id = :id"),  # noqa: S608
        {"id": key_id},
    )
    row = rows.one_or_none()
    return None if row is None else _data_key(row)


async def live_data_key(work: Work, owner: UUID | None) -> DataKeyRow | None:
    rows = await work.session.execute(
        text(
            f"select {_COLUMNS} from data_keys "  # noqa: S608
            "where owner_id is not distinct from cast(:owner as uuid) and destroyed_at is null"
        ),
        {"owner": owner},
    )
    row = rows.one_or_none()
    return None if row is None else _data_key(row)


async def insert_data_key(work: Work, row: DataKeyRow) -> None:
    """Insert unless the owner has a live key already; waits for a rival insert to commit."""
    await work.session.execute(
        text(
            "insert into data_keys (id, owner_id, master_version, nonce, tag, wrapped) "
            "values (:id, :owner_id, :master_version, :nonce, :tag, :wrapped) on conflict do nothing"
        ),
        {
            "id": row.id,
            "owner_id": row.owner_id,
            "master_version": row.master_version,
            "nonce": row.nonce,
            "tag": row.tag,
            "wrapped": row.wrapped,
        },
    )


async def lock_data_keys_not_at(work: Work, version: int, limit: int) -> Sequence[DataKeyRow]:
    rows = await work.session.execute(
        text(
            f"select {_COLUMNS} from data_keys "  # noqa: S608
            "where master_version <> :version and destroyed_at is null order by id limit :limit for update"
        ),
        {"version": version, "limit": limit},
    )
    return [_data_key(r) for r in rows]


async def update_wrapping(work: Work, row: DataKeyRow) -> None:
    await work.session.execute(
        text(
            "update data_keys set master_version = :version, nonce = :nonce, tag = :tag, wrapped = :wrapped "
            "where id = :id and destroyed_at is null"
        ),
        {
            "id": row.id,
            "version": row.master_version,
            "nonce": row.nonce,
            "tag": row.tag,
            "wrapped": row.wrapped,
        },
    )


async def destroy_data_keys(work: Work, owner: UUID) -> None:
    await work.session.execute(
        text(
            "update data_keys set wrapped = null, nonce = null, tag = null, destroyed_at = now() "
            "where owner_id = :owner and destroyed_at is null"
        ),
        {"owner": owner},
    )
