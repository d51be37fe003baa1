"""Secrets at rest: AES-256-GCM under per-owner data keys, wrapped by a master key that can be changed.

    sealed = await crypto.seal(work, b"sk-...", context=f"provider:{provider_id}")
    plain = await crypto.open(work, sealed, context=f"provider:{provider_id}")

`context` names the place the data belongs to and is authenticated with it: sealed bytes moved to
another row do not open. Destroying an owner's data key erases everything sealed for that owner, in
backups too once the key is gone from them.
"""

import asyncio
import hmac
import os
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aihub.kernel.crypto import queries
from aihub.kernel.crypto.derive import SALT_BYTES, fingerprint, purpose_key, wrapping_key
from aihub.kernel.crypto.errors import DataErased, SealBroken, WrongMasterKey
from aihub.kernel.crypto.queries import DataKeyRow, MasterVersion
from aihub.kernel.db import Work, system
from aihub.kernel.ids import new_id
from aihub.kernel.secrets import MasterKey, Secrets, load_secrets

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

_FORMAT = b"\x01"
_NONCE = 16
_TAG = 16
_HEADER = len(_FORMAT) + 16 + _NONCE + _TAG
_ROTATION_BATCH = 500


class Crypto:
    """Seals and opens data, and signs. One per process; holds no plaintext data key."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._wrapping: dict[int, bytes] = {}
        self._opened_by: dict[int, MasterKey] = {}
        self._current = 0
        self._signing: dict[str, bytes] = {}

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Crypto":
        """Read the secrets and check them against the database.

        Raises WrongMasterKey when data is wrapped with a key that was not given.
        """
        crypto = cls(await asyncio.to_thread(load_secrets, runtime.kernel))
        async with runtime.database.work(system("open the key ring")) as work:
            await crypto.open_ring(work)
            runtime.database.audit_key = await crypto.hub_key(work, "audit")
        return crypto

    async def open_ring(self, work: Work, *, record: bool = True) -> None:
        """Match the configured keys with the stored versions; record the current key when it is new.

        Without `record` nothing is written, and what was sealed can be opened. Raises WrongMasterKey when
        data is wrapped with a key that was not given.
        """
        versions = await (queries.lock_master_versions if record else queries.master_versions)(work)
        used = await queries.versions_in_use(work)
        latest = versions[-1] if versions else None
        for version in versions:
            if version.version in used or version is latest:
                await self._unlock(version)
        missing = sorted(used - self._wrapping.keys())
        if missing or (latest is not None and latest.version not in self._wrapping):
            numbers = ", ".join(str(n) for n in missing) or str(latest.version if latest else 0)
            raise WrongMasterKey(f"No configured key opens version {numbers} of the master key.")
        if latest is not None and self._opened_by[latest.version] is self._secrets.master:
            self._current = latest.version
            return
        if not record:
            return
        salt = os.urandom(SALT_BYTES)
        key = await asyncio.to_thread(wrapping_key, self._secrets.master, salt)
        number = latest.version + 1 if latest else 1
        await queries.insert_master_version(work, MasterVersion(number, salt, fingerprint(key)))
        self._wrapping[number] = key
        self._opened_by[number] = self._secrets.master
        self._current = number

    async def seal(self, work: Work, plaintext: bytes, *, context: str, owner: UUID | None = None) -> bytes:
        """Encrypt for `owner` (None: for the hub itself). Makes the owner's data key when there is none."""
        row = await self._live_key(work, owner)
        key = await self._unwrap(work, row)
        nonce = os.urandom(_NONCE)
        box = AESGCM(key).encrypt(nonce, plaintext, _bound(row.id, context))
        return _FORMAT + row.id.bytes + nonce + box[-_TAG:] + box[:-_TAG]

    async def open(self, work: Work, sealed: bytes, *, context: str) -> bytes:
        """Decrypt. Raises SealBroken for damaged or misplaced bytes and DataErased after `destroy`."""
        if len(sealed) < _HEADER or sealed[:1] != _FORMAT:
            raise SealBroken("These bytes were not sealed by this hub.")
        key_id = UUID(bytes=bytes(sealed[1:17]))
        nonce, tag, ciphertext = sealed[17:33], sealed[33:49], sealed[49:]
        row = await queries.data_key(work, key_id)
        if row is None:
            raise SealBroken("The data key of these bytes is unknown here.")
        key = await self._unwrap(work, row)
        try:
            return AESGCM(key).decrypt(nonce, ciphertext + tag, _bound(key_id, context))
        except InvalidTag as exc:
            raise SealBroken("The bytes were changed, or moved from another place.") from exc

    async def destroy(self, work: Work, owner: UUID) -> None:
        """Erase the owner's data key and with it everything sealed for them. Cannot be undone."""
        await queries.destroy_data_keys(work, owner)

    async def rotate(self, work: Work) -> int:
        """Wrap every data key with the current master key; returns how many were not yet.

        All or nothing: a process killed midway leaves everything as it was, and two at once do it once.
        """
        done = 0
        while rows := await queries.lock_data_keys_not_at(work, self._current, _ROTATION_BATCH):
            for row in rows:
                key = await self._unwrap(work, row)
                await queries.update_wrapping(work, self._wrap(row, key))
            done += len(rows)
        await queries.retire_unused_versions(work, self._current)
        return done

    async def hub_key(self, work: Work, purpose: str) -> bytes:
        """32 bytes for one purpose of the hub itself, the same through every change of the master key."""
        row = await self._live_key(work, None)
        return purpose_key(await self._unwrap(work, row), purpose)

    def sign(self, purpose: str, data: bytes) -> bytes:
        """HMAC-SHA256 under the session secret's key for this purpose."""
        key = self._signing.get(purpose)
        if key is None:
            key = self._signing[purpose] = purpose_key(self._secrets.session, f"sign/{purpose}")
        return hmac.digest(key, data, "sha256")

    def verify(self, purpose: str, data: bytes, signature: bytes) -> bool:
        """Whether `sign` made this signature, compared in constant time."""
        return hmac.compare_digest(self.sign(purpose, data), signature)

    async def _live_key(self, work: Work, owner: UUID | None) -> DataKeyRow:
        row = await queries.live_data_key(work, owner)
        if row is None:
            blank = DataKeyRow(new_id(), owner, self._current, None, None, None)
            await queries.insert_data_key(work, self._wrap(blank, AESGCM.generate_key(256)))
            row = await queries.live_data_key(work, owner)
        if row is None:
            raise DataErased("The owner's key was destroyed while this was being written.")
        return row

    def _wrap(self, row: DataKeyRow, key: bytes) -> DataKeyRow:
        nonce = os.urandom(_NONCE)
        box = AESGCM(self._wrapping[self._current]).encrypt(nonce, key, _key_bound(row))
        return replace(row, master_version=self._current, nonce=nonce, tag=box[-_TAG:], wrapped=box[:-_TAG])

    async def _unwrap(self, work: Work, row: DataKeyRow) -> bytes:
        if row.wrapped is None or row.nonce is None or row.tag is None:
            raise DataErased()
        if row.master_version not in self._wrapping:
            # Another process started with a newer master key; we can follow when we were given it too.
            for version in await queries.master_versions(work):
                await self._unlock(version)
        wrapping = self._wrapping.get(row.master_version)
        if wrapping is None:
            raise WrongMasterKey(f"No configured key opens version {row.master_version} of the master key.")
        try:
            return AESGCM(wrapping).decrypt(row.nonce, row.wrapped + row.tag, _key_bound(row))
        except InvalidTag as exc:
            raise SealBroken("A stored data key was changed.") from exc

    async def _unlock(self, version: MasterVersion) -> None:
        """Find which configured key belongs to this version, if any."""
        if version.version in self._wrapping:
            return
        for master in (self._secrets.master, *self._secrets.previous):
            key = await asyncio.to_thread(wrapping_key, master, version.salt)
            if hmac.compare_digest(fingerprint(key), version.fingerprint):
                self._wrapping[version.version] = key
                self._opened_by[version.version] = master
                return


def _bound(key_id: UUID, context: str) -> bytes:
    return _FORMAT + key_id.bytes + context.encode()


def _key_bound(row: DataKeyRow) -> bytes:
    return b"data key" + row.id.bytes + (row.owner_id.bytes if row.owner_id else b"")
