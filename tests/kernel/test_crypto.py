"""Secrets at rest: sealed, bound to their place and owner, re-wrapped, erased."""

import asyncio
import base64
import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from tests.support.runtime import open_runtime, settings_for

from aihub.kernel.config import KernelSettings
from aihub.kernel.crypto import Crypto, CryptoError, DataErased, SealBroken, WrongMasterKey
from aihub.kernel.crypto.derive import purpose_key
from aihub.kernel.db import Database, owned_by, system
from aihub.kernel.runtime import Runtime
from aihub.kernel.secrets import load_secrets

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = "a passphrase that is long enough"
THIRD = "f00dfeed" + "0123456789abcdef" * 3 + "cafebabe"


async def ring(database: Database, home: Path, key: str, *previous: str) -> Crypto:
    """The key ring of a process that was started with these keys."""
    environ = {"ENCRYPTION_KEY": key, "AIHUB_PREVIOUS_ENCRYPTION_KEYS": ",".join(previous)}
    crypto = Crypto(load_secrets(settings_for(home, **environ)[KernelSettings]))
    async with database.work(system("test")) as work:
        await crypto.open_ring(work)
    return crypto


async def seal(database: Database, crypto: Crypto, plain: bytes, **options: object) -> bytes:
    async with database.work(system("test")) as work:
        return await crypto.seal(work, plain, context="test", **options)


async def unseal(database: Database, crypto: Crypto, sealed: bytes, context: str = "test") -> bytes:
    async with database.work(system("test")) as work:
        return await crypto.open(work, sealed, context=context)


async def test_what_is_sealed_opens_again(runtime: Runtime) -> None:
    crypto = runtime.get(Crypto)
    for plain in (b"", b"sk-secret", os.urandom(100_000)):
        sealed = await seal(runtime.database, crypto, plain)
        assert len(sealed) == 1 + 16 + 16 + 16 + len(plain)
        assert not plain or plain not in sealed
        assert await unseal(runtime.database, crypto, sealed) == plain


async def test_the_same_text_is_never_sealed_the_same_way(runtime: Runtime) -> None:
    crypto = runtime.get(Crypto)
    sealed = {await seal(runtime.database, crypto, b"same") for _ in range(20)}
    assert len(sealed) == 20
    assert len({s[17:33] for s in sealed}) == 20, "each has a nonce of its own"


async def test_any_changed_bit_and_any_other_place_is_noticed(runtime: Runtime) -> None:
    crypto, database = runtime.get(Crypto), runtime.database
    sealed = await seal(database, crypto, b"sk-secret")
    for position in range(len(sealed)):
        broken = bytearray(sealed)
        broken[position] ^= 1
        with pytest.raises(SealBroken):
            await unseal(database, crypto, bytes(broken))
    with pytest.raises(SealBroken):
        await unseal(database, crypto, sealed, context="another row")
    for length in (0, 1, 48, len(sealed) - 1):
        with pytest.raises(SealBroken):
            await unseal(database, crypto, sealed[:length])


async def test_sealed_bytes_of_one_owner_do_not_pass_for_anothers(runtime: Runtime) -> None:
    crypto, database = runtime.get(Crypto), runtime.database
    mine = await seal(database, crypto, b"mine", owner=uuid4())
    theirs = await seal(database, crypto, b"theirs", owner=uuid4())
    assert mine[1:17] != theirs[1:17], "each owner has a data key of their own"
    swapped = mine[:1] + theirs[1:17] + mine[17:]
    with pytest.raises(SealBroken):
        await unseal(database, crypto, swapped)


async def test_many_first_seals_of_an_owner_at_once_make_one_key(runtime: Runtime) -> None:
    crypto, database, owner = runtime.get(Crypto), runtime.database, uuid4()
    sealed = await asyncio.gather(*(seal(database, crypto, b"x", owner=owner) for _ in range(8)))
    assert len({s[1:17] for s in sealed}) == 1
    for one in sealed:
        assert await unseal(database, crypto, one) == b"x"


async def test_an_owner_can_seal_in_their_own_scope(runtime: Runtime) -> None:
    crypto, owner = runtime.get(Crypto), uuid4()
    async with runtime.database.work(owned_by(owner)) as work:
        sealed = await crypto.seal(work, b"mine", context="test", owner=owner)
        assert await crypto.open(work, sealed, context="test") == b"mine"


async def test_destroying_the_key_erases_the_data_in_every_process(
    runtime: Runtime, dsn: str, home: Path
) -> None:
    crypto, database, owner = runtime.get(Crypto), runtime.database, uuid4()
    sealed = await seal(database, crypto, b"mine", owner=owner)
    kept = await seal(database, crypto, b"kept", owner=uuid4())
    async with open_runtime(dsn, settings_for(home)) as other:
        assert await unseal(other.database, other.get(Crypto), sealed) == b"mine"
        async with database.work(system("test")) as work:
            await crypto.destroy(work, owner)
        for process in (runtime, other):
            with pytest.raises(DataErased):
                await unseal(process.database, process.get(Crypto), sealed)
    assert await unseal(database, crypto, kept) == b"kept"
    again = await seal(database, crypto, b"new life", owner=owner)
    assert await unseal(database, crypto, again) == b"new life"
    async with database.work(system("test")) as work:
        left = await work.session.execute(
            text("select count(*) from data_keys where owner_id = :owner and wrapped is not null"),
            {"owner": owner},
        )
        assert left.scalar_one() == 1


async def test_a_start_with_a_wrong_key_is_refused(database: Database, home: Path) -> None:
    await ring(database, home, KEY)
    for wrong in (OTHER, THIRD):
        with pytest.raises(WrongMasterKey) as caught:
            await ring(database, home, wrong)
        assert "ENCRYPTION_KEY" in caught.value.hint
    await ring(database, home, KEY)


async def test_a_generated_key_is_kept_in_the_home(runtime: Runtime, dsn: str, home: Path) -> None:
    sealed = await seal(runtime.database, runtime.get(Crypto), b"kept")
    async with open_runtime(dsn, settings_for(home)) as again:
        assert await unseal(again.database, again.get(Crypto), sealed) == b"kept"
    settings = settings_for(home.with_name("another"))
    with pytest.raises(WrongMasterKey):
        async with open_runtime(dsn, settings):
            pass


async def test_the_master_key_changes_and_everything_still_opens(database: Database, home: Path) -> None:
    first = await ring(database, home, KEY)
    sealed = [await seal(database, first, str(n).encode(), owner=uuid4()) for n in range(7)]
    second = await ring(database, home, OTHER, KEY)
    assert [await unseal(database, second, s) for s in sealed] == [str(n).encode() for n in range(7)]
    async with database.work(system("test")) as work:
        assert await second.rotate(work) == 7
    async with database.work(system("test")) as work:
        assert await second.rotate(work) == 0, "a second rotation finds nothing to do"
    alone = await ring(database, home, OTHER)
    assert [await unseal(database, alone, s) for s in sealed] == [str(n).encode() for n in range(7)]
    third = await ring(database, home, THIRD, OTHER)
    async with database.work(system("test")) as work:
        assert await third.rotate(work) == 7
        states = await work.session.execute(
            text("select version, retired_at is null from master_keys order by version")
        )
        assert [tuple(row) for row in states] == [(1, False), (2, False), (3, True)]
    assert await unseal(database, third, sealed[3]) == b"3"


async def test_the_former_key_is_asked_for_until_the_rotation_is_done(database: Database, home: Path) -> None:
    first = await ring(database, home, KEY)
    sealed = await seal(database, first, b"old")
    await ring(database, home, OTHER, KEY)
    with pytest.raises(WrongMasterKey, match="version 1"):
        await ring(database, home, OTHER)
    # Going back is possible too: nothing was re-wrapped.
    back = await ring(database, home, KEY, OTHER)
    assert await unseal(database, back, sealed) == b"old"


async def test_two_rotations_at_once_do_the_work_once(database: Database, home: Path) -> None:
    first = await ring(database, home, KEY)
    sealed = [await seal(database, first, b"x", owner=uuid4()) for _ in range(20)]
    rings = [await ring(database, home, OTHER, KEY) for _ in range(2)]

    async def rotate(crypto: Crypto) -> int:
        async with database.work(system("test")) as work:
            return await crypto.rotate(work)

    assert sum(await asyncio.gather(*(rotate(r) for r in rings))) == 20
    alone = await ring(database, home, OTHER)
    for one in sealed:
        assert await unseal(database, alone, one) == b"x"


async def test_a_rotation_cut_off_midway_loses_nothing(database: Database, home: Path) -> None:
    first = await ring(database, home, KEY)
    sealed = [await seal(database, first, b"x", owner=uuid4()) for _ in range(5)]
    second = await ring(database, home, OTHER, KEY)

    async def cut_off() -> None:
        async with database.work(system("test")) as work:
            await second.rotate(work)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await cut_off()
    for one in sealed:
        assert await unseal(database, first, one) == b"x"
    async with database.work(system("test")) as work:
        assert await second.rotate(work) == 5
    for one in sealed:
        assert await unseal(database, second, one) == b"x"


ROTATION = """
import asyncio, sys
from pathlib import Path
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from tests.support.runtime import open_runtime, settings_for

async def main() -> None:
    keys = {"ENCRYPTION_KEY": sys.argv[3], "AIHUB_PREVIOUS_ENCRYPTION_KEYS": sys.argv[4]}
    async with open_runtime(sys.argv[1], settings_for(Path(sys.argv[2]), **keys)) as runtime:
        print("rotating", flush=True)
        async with runtime.database.work(system("test")) as work:
            print(await runtime.get(Crypto).rotate(work), flush=True)

asyncio.run(main())
"""


async def test_a_rotation_killed_midway_leaves_everything_readable(
    database: Database, dsn: str, home: Path
) -> None:
    first = await ring(database, home, KEY)
    async with database.work(system("test")) as work:
        sealed = [await first.seal(work, b"x", context="test", owner=uuid4()) for _ in range(200)]
    command = (sys.executable, "-c", ROTATION, dsn, str(home), OTHER, KEY)
    for moment in (0.0, 0.1):
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"rotating\n"
        await asyncio.sleep(moment)
        process.kill()
        await process.wait()
        both = await ring(database, home, OTHER, KEY)
        async with database.work(system("test")) as work:
            for one in sealed:
                assert await both.open(work, one, context="test") == b"x"
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    await process.communicate()
    alone = await ring(database, home, OTHER)
    async with database.work(system("test")) as work:
        for one in sealed:
            assert await alone.open(work, one, context="test") == b"x"


async def test_a_running_process_follows_a_newer_key_that_it_was_given(
    database: Database, home: Path
) -> None:
    running = await ring(database, home, KEY, OTHER)
    unaware = await ring(database, home, KEY)
    newer = await ring(database, home, OTHER, KEY)
    sealed = await seal(database, newer, b"new", owner=uuid4())
    assert await unseal(database, running, sealed) == b"new"
    with pytest.raises(WrongMasterKey):
        await unseal(database, unaware, sealed)


async def test_a_changed_data_key_is_noticed(runtime: Runtime) -> None:
    crypto, database = runtime.get(Crypto), runtime.database
    sealed = await seal(database, crypto, b"x")
    async with database.work(system("test")) as work:
        await work.session.execute(text("update data_keys set tag = substring(nonce from 1 for 16)"))
    with pytest.raises(SealBroken):
        await unseal(database, crypto, sealed)


async def test_the_hubs_own_keys_outlive_a_rotation_and_cannot_be_destroyed(
    database: Database, home: Path
) -> None:
    async def audit_key(crypto: Crypto) -> bytes:
        async with database.work(system("test")) as work:
            return await crypto.hub_key(work, "audit")

    first = await ring(database, home, KEY)
    before = await audit_key(first)
    second = await ring(database, home, OTHER, KEY)
    async with database.work(system("test")) as work:
        await second.rotate(work)
        assert before == await second.hub_key(work, "audit")
        assert before != await second.hub_key(work, "something else")


async def test_signatures_hold_for_their_purpose_only(runtime: Runtime) -> None:
    crypto = runtime.get(Crypto)
    signature = crypto.sign("csrf", b"session 1")
    assert len(signature) == 32
    assert crypto.verify("csrf", b"session 1", signature)
    assert not crypto.verify("csrf", b"session 2", signature)
    assert not crypto.verify("share", b"session 1", signature)
    assert not crypto.verify("csrf", b"session 1", signature[:-1])
    assert not crypto.verify("csrf", b"session 1", b"")


def test_keys_of_different_purposes_have_nothing_in_common() -> None:
    secret = os.urandom(32)
    assert purpose_key(secret, "a") == purpose_key(secret, "a")
    assert purpose_key(secret, "a") != purpose_key(secret, "b")


def test_errors_of_crypto_are_one_family() -> None:
    assert issubclass(SealBroken, CryptoError)
    assert issubclass(DataErased, CryptoError)
    assert issubclass(WrongMasterKey, CryptoError)
