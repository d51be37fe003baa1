"""Passwords are judged and hashed while no transaction is open: no connection waits for the processor."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, MakeClient, MakeUser

from aihub.kernel import passwords
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.domain import INVITATION_LIFE, RESET_LINK_LIFE
from aihub.services.identity.queries import links
from aihub.services.identity.service.links import make_link

FRESH = "four unrelated tall words"


@pytest.fixture
def hashing(hub: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pooled connections were in use each time a password was hashed."""
    in_use: list[int] = []
    hash_password = passwords.hash_password

    async def watched(password: str) -> str:
        in_use.append(hub.database.pool_state().in_use)
        hashed = await hash_password(password)
        in_use.append(hub.database.pool_state().in_use)
        return hashed

    monkeypatch.setattr("aihub.services.identity.service.new_passwords.hash_password", watched)
    return in_use


async def link_for(hub: Runtime, kind: str, email: str, life: timedelta) -> str:
    async with hub.database.work(system("test")) as work:
        user = await service.find_user_by_email(work, email)
        root = await work.session.scalar(text("select id from users where email like 'root@%'"))
        _, token, _ = await make_link(
            work,
            kind,
            email=email,
            life=life,
            locale="en",
            clock=hub.clock,
            owner=user.id if user else None,
            created_by=root,
        )
    return token


async def test_the_first_administrator(client: MakeClient, hub: Runtime, hashing: list[int]) -> None:
    async with hub.database.work(system("test")) as work:
        token = await service.ensure_setup_link(work, hub.clock)
    form = {"token": token, "email": "ada@example.org", "password": PASSWORD}
    assert (await client()("POST", "/api/v1/setup", form | {"token": "made-up"})).status == 403
    assert hashing == [], "a wrong link does not get a password hashed"
    assert (await client()("POST", "/api/v1/setup", form)).status == 201
    assert hashing == [0, 0]


async def test_accounts_invitations_and_changes(
    client: MakeClient, make_user: MakeUser, hub: Runtime, hashing: list[int]
) -> None:
    await make_user("root", "super_admin")
    browser = client()
    await browser.sign_in("root@example.org")
    hashing.clear()
    invitation = await link_for(hub, links.INVITATION, "eve@example.org", INVITATION_LIFE)
    reset = await link_for(hub, links.PASSWORD_RESET, "root@example.org", RESET_LINK_LIFE)
    steps = [
        ("/api/v1/users", {"email": "bob@example.org", "password": PASSWORD}, 201),
        ("/api/v1/invitation/accept", {"token": invitation, "name": "Eve", "password": PASSWORD}, 201),
        ("/api/v1/me/password", {"current_password": PASSWORD, "new_password": FRESH}, 204),
    ]
    for path, body, status in steps:
        answer = await browser("POST", path, body)
        assert answer.status == status, (path, answer.body)
        assert hashing == [0, 0], path
        hashing.clear()
    # Changing the password has closed the reset link that was open; another one.
    assert (
        await client()("POST", "/api/v1/password-reset/complete", {"token": reset, "new_password": PASSWORD})
    ).status == 403
    assert hashing == [], "a link that does not work does not get a password hashed"
    reset = await link_for(hub, links.PASSWORD_RESET, "root@example.org", RESET_LINK_LIFE)
    answer = await client()(
        "POST", "/api/v1/password-reset/complete", {"token": reset, "new_password": "another four tall words"}
    )
    assert answer.status == 204
    assert hashing == [0, 0]
