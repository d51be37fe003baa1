"""A key cannot make itself a better key."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from tests.services.conftest import MakeClient, MakeUser

from aihub.kernel.clock import FixedClock

MakeKey = Callable[..., Awaitable[str]]


async def test_a_key_that_ends_makes_no_key_that_lasts(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, clock: FixedClock
) -> None:
    ada = await make_user("ada")
    end = clock.now() + timedelta(hours=1)
    program = client(key=await make_key(ada.id, expires_at=end))
    made = await program("POST", "/api/v1/keys", {"name": "child"})
    assert made.status == 201
    assert made.body["expires_at"] is not None
    later = {"name": "child", "expires_at": (end + timedelta(minutes=1)).isoformat()}
    refused = await program("POST", "/api/v1/keys", later)
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "expires_at")
    earlier = {"name": "child", "expires_at": (end - timedelta(minutes=1)).isoformat()}
    assert (await program("POST", "/api/v1/keys", earlier)).status == 201
    child = client(key=made.body["key"])
    assert (await child("GET", "/api/v1/credits")).status == 200
    clock.at = end
    assert (await child("GET", "/api/v1/credits")).status == 401


async def test_a_key_on_an_allowance_cannot_reach_its_owners_account(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey
) -> None:
    ada = await make_user("ada")
    program = client(key=await make_key(ada.id, credits="1"))
    for wish in ({"name": "child"}, {"name": "child", "credits": "50"}):
        refused = await program("POST", "/api/v1/keys", wish)
        assert (refused.status, refused.code) == (403, "keys.on_allowance")
    assert len((await program("GET", "/api/v1/keys")).body["items"]) == 1
