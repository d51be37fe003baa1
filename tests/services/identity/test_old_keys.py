"""The doctor names API keys whose secret nobody has renewed for a year."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import text
from tests.services.conftest import MakeUser

from aihub.kernel.checks import Level, Patient
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.checks import LONGEST_SECRET, old_keys


async def test_keys_with_an_old_secret_are_named(
    hub: Runtime, make_user: MakeUser, make_key: Callable[..., Awaitable[str]]
) -> None:
    ada, bob = await make_user("ada"), await make_user("bob")
    await make_key(ada.id)
    patient = Patient(hub.settings, None, hub.database, True)
    (finding,) = await old_keys(patient)
    assert finding.level is Level.OK

    async def age(column: str, by: timedelta, where: str = "true") -> None:
        async with hub.database.work(system("test")) as work:
            await work.session.execute(
                text(f"update api_keys set {column} = now() - cast(:by as interval) where {where}"),
                {"by": by},
            )

    await age("created_at", LONGEST_SECRET + timedelta(days=1))
    (finding,) = await old_keys(patient)
    assert finding.level is Level.WATCH
    assert "ahk_" in finding.cause
    assert "ada@example.org" in finding.cause
    assert finding.fix
    await age("rotated_at", timedelta(days=1))
    (finding,) = await old_keys(patient)
    assert finding.level is Level.OK, "a rotation makes a key new"
    await age("rotated_at", LONGEST_SECRET + timedelta(days=1))
    await make_key(bob.id)
    for gone in ("revoked_at", "expires_at"):
        await age(gone, timedelta(days=1))
        (finding,) = await old_keys(patient)
        assert finding.level is Level.OK, gone
        async with hub.database.work(system("test")) as work:
            await work.session.execute(text(f"update api_keys set {gone} = null"))
