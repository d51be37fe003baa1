"""Every statement on passkeys, challenges, authenticator secrets and recovery codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts import Passkey
from aihub.services.identity.models import ChallengeRow, PasskeyRow, RecoveryCodeRow, TotpSecretRow


@dataclass(frozen=True, slots=True)
class Challenge:
    id: UUID
    owner_id: UUID | None
    challenge: bytes
    rp_id: str
    origin: str


@dataclass(frozen=True, slots=True)
class Credential:
    """What a passkey's signature is checked against."""

    passkey: Passkey
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]


# ---------------------------------------------------------------- challenges


async def insert_challenge(
    work: Work,
    owner_id: UUID | None,
    purpose: str,
    challenge: bytes,
    rp_id: str,
    origin: str,
    until: datetime,
) -> UUID:
    challenge_id = new_id()
    await work.session.execute(
        insert(ChallengeRow).values(
            id=challenge_id, owner_id=owner_id, purpose=purpose, challenge=challenge, rp_id=rp_id,
            origin=origin, expires_at=until,
        )
    )  # fmt: skip
    return challenge_id


async def take_challenge(
    work: Work, challenge_id: UUID, owner_id: UUID | None, purpose: str, now: datetime
) -> Challenge | None:
    """The challenge, which is gone afterwards; of two takers one gets it."""
    row = (
        await work.session.execute(
            delete(ChallengeRow)
            .where(
                ChallengeRow.id == challenge_id,
                ChallengeRow.purpose == purpose,
                ChallengeRow.owner_id.is_(None) if owner_id is None else ChallengeRow.owner_id == owner_id,
                ChallengeRow.expires_at > now,
            )
            .returning(
                ChallengeRow.id,
                ChallengeRow.owner_id,
                ChallengeRow.challenge,
                ChallengeRow.rp_id,
                ChallengeRow.origin,
            )
        )
    ).one_or_none()
    return Challenge(*row) if row else None


async def forget_challenges(work: Work, now: datetime) -> None:
    """Delete those that nobody answered in time."""
    await work.session.execute(delete(ChallengeRow).where(ChallengeRow.expires_at < now))


# ---------------------------------------------------------------- passkeys

_PASSKEY = (
    PasskeyRow.id,
    PasskeyRow.owner_id,
    PasskeyRow.name,
    PasskeyRow.rp_id,
    PasskeyRow.synced,
    PasskeyRow.created_at,
    PasskeyRow.last_used_at,
)
_CREDENTIAL = (
    *_PASSKEY,
    PasskeyRow.credential_id,
    PasskeyRow.public_key,
    PasskeyRow.sign_count,
    PasskeyRow.transports,
)


async def passkeys(work: Work, owner_id: UUID) -> list[Passkey]:
    """The owner's passkeys, the newest first."""
    statement = select(*_PASSKEY).where(PasskeyRow.owner_id == owner_id).order_by(PasskeyRow.id.desc())
    return [Passkey(*row) for row in await work.session.execute(statement)]


async def credentials(work: Work, owner_id: UUID, rp_id: str) -> list[Credential]:
    """The owner's credentials for one host."""
    statement = select(*_CREDENTIAL).where(PasskeyRow.owner_id == owner_id, PasskeyRow.rp_id == rp_id)
    return [_credential(tuple(row)) for row in await work.session.execute(statement)]


async def credential(work: Work, credential_id: bytes) -> Credential | None:
    """The credential; nobody else uses it until this work ends, so that its counter only grows."""
    statement = select(*_CREDENTIAL).where(PasskeyRow.credential_id == credential_id).with_for_update()
    row = (await work.session.execute(statement)).one_or_none()
    return _credential(tuple(row)) if row else None


def _credential(row: tuple[object, ...]) -> Credential:
    *about, credential_id, public_key, sign_count, transports = row
    return Credential(
        Passkey(*about),  # type: ignore[arg-type]
        bytes(credential_id),  # type: ignore[call-overload]
        bytes(public_key),  # type: ignore[call-overload]
        int(sign_count),  # type: ignore[call-overload]
        tuple(transports),  # type: ignore[arg-type]
    )


async def insert_passkey(
    work: Work,
    owner_id: UUID,
    *,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    rp_id: str,
    name: str,
    synced: bool,
    transports: Sequence[str],
    now: datetime,
) -> Passkey | None:
    """The new passkey, or None when its credential is known already."""
    row = (
        await work.session.execute(
            insert(PasskeyRow)
            .values(
                id=new_id(), owner_id=owner_id, credential_id=credential_id, public_key=public_key,
                sign_count=sign_count, rp_id=rp_id, name=name, synced=synced, transports=list(transports),
                created_at=now,
            )
            .on_conflict_do_nothing()
            .returning(*_PASSKEY)
        )
    ).one_or_none()  # fmt: skip
    return Passkey(*row) if row else None


async def used_passkey(work: Work, passkey_id: UUID, sign_count: int, now: datetime) -> None:
    await work.session.execute(
        update(PasskeyRow).where(PasskeyRow.id == passkey_id).values(sign_count=sign_count, last_used_at=now)
    )


async def rename_passkey(work: Work, owner_id: UUID, passkey_id: UUID, name: str) -> Passkey | None:
    row = (
        await work.session.execute(
            update(PasskeyRow)
            .where(PasskeyRow.id == passkey_id, PasskeyRow.owner_id == owner_id)
            .values(name=name)
            .returning(*_PASSKEY)
        )
    ).one_or_none()
    return Passkey(*row) if row else None


async def delete_passkeys(work: Work, owner_id: UUID, passkey_id: UUID | None = None) -> list[Passkey]:
    """Delete one of the owner's passkeys, or all; those that were deleted."""
    statement = delete(PasskeyRow).where(PasskeyRow.owner_id == owner_id)
    if passkey_id is not None:
        statement = statement.where(PasskeyRow.id == passkey_id)
    return [Passkey(*row) for row in await work.session.execute(statement.returning(*_PASSKEY))]


# ---------------------------------------------------------------- authenticator apps


async def totp(work: Work, owner_id: UUID) -> tuple[bytes | None, bytes | None, datetime | None] | None:
    """The sealed secret, the sealed secret that waits for its first code, and since when there is one.

    Nobody else changes them until this work ends.
    """
    row = (
        await work.session.execute(
            select(TotpSecretRow.secret, TotpSecretRow.pending, TotpSecretRow.confirmed_at)
            .where(TotpSecretRow.owner_id == owner_id)
            .with_for_update()
        )
    ).one_or_none()
    return (row.secret, row.pending, row.confirmed_at) if row else None


async def totp_since(work: Work, owner_id: UUID) -> datetime | None:
    statement = select(TotpSecretRow.confirmed_at).where(TotpSecretRow.owner_id == owner_id)
    return await work.session.scalar(statement)


async def begin_totp(work: Work, owner_id: UUID, pending: bytes) -> None:
    statement = insert(TotpSecretRow).values(owner_id=owner_id, pending=pending)
    await work.session.execute(
        statement.on_conflict_do_update(
            index_elements=[TotpSecretRow.owner_id], set_={"pending": statement.excluded.pending}
        )
    )


async def confirm_totp(work: Work, owner_id: UUID, step: int, now: datetime) -> None:
    await work.session.execute(
        update(TotpSecretRow)
        .where(TotpSecretRow.owner_id == owner_id)
        .values(secret=TotpSecretRow.pending, pending=None, confirmed_at=now, last_step=step)
    )


async def use_step(work: Work, owner_id: UUID, step: int) -> bool:
    """Whether this period, or a later one, has not been used yet. It has afterwards."""
    statement = (
        update(TotpSecretRow)
        .where(TotpSecretRow.owner_id == owner_id, TotpSecretRow.last_step < step)
        .values(last_step=step)
        .returning(TotpSecretRow.owner_id)
    )
    return await work.session.scalar(statement) is not None


async def delete_totp(work: Work, owner_id: UUID) -> bool:
    statement = delete(TotpSecretRow).where(TotpSecretRow.owner_id == owner_id)
    return await work.session.scalar(statement.returning(TotpSecretRow.confirmed_at)) is not None


# ---------------------------------------------------------------- recovery codes


async def replace_recovery_codes(work: Work, owner_id: UUID, hashes: Sequence[bytes]) -> None:
    await work.session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.owner_id == owner_id))
    for hashed in hashes:
        await work.session.execute(
            insert(RecoveryCodeRow).values(id=new_id(), owner_id=owner_id, code_hash=hashed)
        )


async def use_recovery_code(work: Work, owner_id: UUID, hashed: bytes, now: datetime) -> bool:
    """Whether this unused code was among the owner's. Of two at once one uses it."""
    statement = (
        update(RecoveryCodeRow)
        .where(
            RecoveryCodeRow.owner_id == owner_id,
            RecoveryCodeRow.code_hash == hashed,
            RecoveryCodeRow.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCodeRow.id)
    )
    return await work.session.scalar(statement) is not None


async def recovery_codes_left(work: Work, owner_id: UUID) -> int:
    statement = select(func.count()).where(
        RecoveryCodeRow.owner_id == owner_id, RecoveryCodeRow.used_at.is_(None)
    )
    return int(await work.session.scalar(statement) or 0)
