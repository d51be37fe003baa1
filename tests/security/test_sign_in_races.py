"""A password that is taken away while it is being checked opens nothing."""

import pytest
from tests.services.conftest import PASSWORD, MakeUser

from aihub.kernel import passwords
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import attempts, service
from aihub.services.identity.contracts import SignInFailed
from aihub.services.identity.service import Caller, Doorkeeper

NOBODY = Caller(None, None)


async def test_a_password_changed_while_it_was_checked_begins_no_session(
    hub: Runtime, make_user: MakeUser
) -> None:
    ada = await make_user("ada")
    _, attempt = await hub.get(Doorkeeper).check(ada.email, PASSWORD, NOBODY)
    better = await service.new_password("a much better one")
    async with hub.database.work(system("test")) as work:
        await service.set_password(work, ada.id, better, actor=None)
    with pytest.raises(SignInFailed):
        async with hub.database.work(system("test")) as work:
            await attempts.succeeded(work, attempt)


async def test_an_account_deactivated_while_its_password_was_checked_begins_no_session(
    hub: Runtime, make_user: MakeUser
) -> None:
    ada = await make_user("ada")
    _, attempt = await hub.get(Doorkeeper).check(ada.email, PASSWORD, NOBODY)
    async with hub.database.work(system("test")) as work:
        await service.update_user(work, ada.id, actor=None, active=False)
    with pytest.raises(SignInFailed):
        async with hub.database.work(system("test")) as work:
            await attempts.succeeded(work, attempt)


async def test_a_new_hash_of_the_old_password_does_not_undo_a_change(
    hub: Runtime, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await make_user("ada")
    door = hub.get(Doorkeeper)
    monkeypatch.setattr("aihub.services.identity.service.sessions.needs_rehash", lambda _: True)

    async def slow_hash(password: str) -> str:
        better = await service.new_password("a much better one")
        async with hub.database.work(system("test")) as work:
            await service.set_password(work, ada.id, better, actor=None)
        return await passwords.hash_password(password)

    monkeypatch.setattr("aihub.services.identity.service.sessions.hash_password", slow_hash)
    with pytest.raises(SignInFailed):
        await door.sign_in(ada.email, PASSWORD, NOBODY, hub.clock)
    monkeypatch.undo()
    await door.sign_in(ada.email, "a much better one", NOBODY, hub.clock)
