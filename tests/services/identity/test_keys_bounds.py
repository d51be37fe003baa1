"""What bounds a key besides its scopes: where it may be used from, how it is changed and rotated."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES, Client, MakeClient, MakeUser, served
from tests.support.calendar import the_same_day  # noqa: F401 - for every test here
from tests.support.runtime import open_runtime, settings_for
from tests.support.waiting import until

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.errors import InvalidRequest
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.domain import PROOF_LIFE
from aihub.services.identity.key_bounds import columns_of, network, within

MakeKey = Callable[..., Awaitable[str]]
KEYS = "/api/v1/keys"


@pytest.fixture
async def ada(client: MakeClient, make_user: MakeUser) -> Client:
    await make_user("ada")
    browser: Client = client()
    await browser.sign_in("ada@example.org")
    return browser


async def status(program: Client) -> int:
    return (await program("GET", "/api/v1/credits")).status


async def test_a_key_tells_its_bounds_and_they_can_be_changed(ada: Client, hub: Runtime) -> None:
    made = await ada("POST", KEYS, {
        "name": "k", "models": ["alpha", "alpha"], "networks": ["203.0.113.7", "2001:db8::/32"],
        "requests_per_minute": 10, "tokens_per_minute": 1000, "parallel_requests": 2,
        "budget": {"amount": "5", "period": "day"},
    })  # fmt: skip
    assert made.status == 201, made.body
    key = made.body
    assert key["models"] == ["alpha"]
    assert key["networks"] == ["203.0.113.7/32", "2001:db8::/32"]
    assert (key["requests_per_minute"], key["tokens_per_minute"], key["parallel_requests"]) == (10, 1000, 2)
    assert (key["budget"]["amount"], key["budget"]["spent"]) == ("5.000000", "0.000000")
    assert key["budget"]["resets_at"]
    path = f"{KEYS}/{key['id']}"
    renamed = await ada("PATCH", path, {"name": "  K2 "})
    assert (renamed.status, renamed.body["name"]) == (200, "K2")
    assert {k: v for k, v in renamed.body.items() if k != "name"} == {
        k: v for k, v in key.items() if k not in ("name", "key")
    }
    freed = await ada("PATCH", path, {
        "models": [], "networks": None, "requests_per_minute": None, "tokens_per_minute": 5, "budget": None,
    })  # fmt: skip
    assert (freed.body["models"], freed.body["networks"], freed.body["budget"]) == ([], [], None)
    assert (freed.body["requests_per_minute"], freed.body["tokens_per_minute"]) == (None, 5)
    assert freed.body["parallel_requests"] == 2
    monthly = await ada("PATCH", path, {"budget": {"amount": "7"}})
    assert (monthly.body["budget"]["period"], monthly.body["name"]) == ("month", "K2")
    async with hub.database.work(system("test")) as work:
        actions = (
            await work.session.scalars(text("select action from audit_log where target_kind = 'key'"))
        ).all()
    assert Counter(actions) == {"key.create": 1, "key.update": 3}
    assert (await ada("DELETE", path)).status == 204
    assert (await ada("PATCH", path, {"name": "x"})).body["code"] == "keys.gone"
    assert (await ada("POST", f"{path}/rotate", {})).body["code"] == "keys.gone"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("networks", ["not a network"]), ("networks", ["10.0.0.1/8"]), ("networks", ["10.0.0.0/33"]),
        ("networks", ["::1/129"]), ("networks", [""]), ("networks", ["10.0.0.0/8"] * 51),
        ("networks", "10.0.0.0/8"),
        ("models", [""]), ("models", ["a b"]), ("models", ["x" * 129]), ("models", ["m"] * 101),
        ("requests_per_minute", 0), ("requests_per_minute", -1), ("requests_per_minute", 1.5),
        ("requests_per_minute", 10**10), ("tokens_per_minute", "many"), ("parallel_requests", 10_001),
        ("budget", {"amount": "-1"}), ("budget", {"amount": "1e3"}),
        ("budget", {"amount": "1", "period": "year"}),
        ("budget", "5"), ("name", ""), ("name", "x" * 101), ("name", "a\nb"),
    ],
)  # fmt: skip
async def test_nonsense_bounds_nothing(ada: Client, field: str, value: object) -> None:
    refused = await ada("POST", KEYS, {"name": "k", field: value})
    assert refused.status == 422, refused.body
    made = (await ada("POST", KEYS, {"name": "k"})).body
    assert (await ada("PATCH", f"{KEYS}/{made['id']}", {field: value})).status == 422
    (listed,) = (await ada("GET", KEYS)).body["items"]
    assert listed["name"] == "k"
    assert (listed["networks"], listed["models"], listed["budget"]) == ([], [], None)


def test_networks_have_one_spelling() -> None:
    spelled = columns_of({"networks": [" 10.0.0.0/8 ", "192.0.2.1", "2001:DB8:0::/32", "::ffff:192.0.2.1"]})
    assert spelled == {"networks": ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]}
    with pytest.raises(InvalidRequest) as caught:
        columns_of({"networks": ["10.1.2.3/8"]})
    assert "did you mean 10.0.0.0/8" in caught.value.errors[0].message


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.9", True), ("192.0.3.9", False), ("::ffff:192.0.2.9", True), ("2001:db8::1", True),
        ("2001:db9::1", False), ("2001:db8::1%eth0", True), ("", False), (None, False), ("testclient", False),
        ("0.0.0.0", False), ("::", False), ("192.0.2.9, 10.0.0.1", False), ("192.0.2.009", False),
    ],
)  # fmt: skip
def test_where_a_caller_is(address: str | None, inside: bool) -> None:
    assert within(address, [network("192.0.2.0/24"), network("2001:db8::/32")]) is inside


@pytest.fixture
async def behind_proxy(dsn: str, home: Path) -> AsyncIterator[tuple[Runtime, MakeClient]]:
    """A hub whose proxy sits on this machine."""
    settings = settings_for(
        home, MODULES, AIHUB_TRUSTED_PROXIES="127.0.0.1", AIHUB_LIMITS="api.general=10000/15m"
    )
    async with open_runtime(dsn, settings, MODULES, pool_size=5) as runtime:
        async with runtime.database.work(system("test")) as work:
            await service.sync_registry(work, MODULES)
        async with served(runtime) as url, httpx2.AsyncClient(base_url=url, timeout=60) as http:
            yield runtime, lambda **how: Client(http, **how)


async def test_a_key_is_refused_from_elsewhere(behind_proxy: tuple[Runtime, MakeClient]) -> None:
    runtime, client = behind_proxy
    async with runtime.database.work(system("test")) as work:
        owner = await service.create_user(
            work, email="ada@example.org", password=None, wallets=runtime.get(Wallets)
        )
        key, secret = await service.create_key(
            work,
            owner_id=owner.id,
            name="k",
            scopes=["*"],
            wallets=runtime.get(Wallets),
            wish={"networks": ["192.0.2.0/24", "2001:db8::/32"]},
        )

    async def ask(address: str) -> Any:
        return await client(key=secret)("GET", "/api/v1/credits", headers={"X-Forwarded-For": address})

    refused = await ask("198.51.100.7")
    assert (refused.status, refused.code) == (403, "keys.address_refused")
    for told in ("192.0.2", "2001:db8", "ada@", "198.51", key.name + '"'):
        assert told not in str(refused.body)
    async with runtime.database.work(system("test")) as work:
        assert await work.session.scalar(text("select last_used_at from api_keys")) is None
    assert (await ask("192.0.2.77")).status == 200
    assert (await ask("2001:db8::5")).status == 200
    # The proxy's word counts, not what the caller put before it.
    assert (await ask("192.0.2.77, 198.51.100.7")).status == 403
    assert (await client(key=secret)("GET", "/api/v1/credits")).status == 403
    unknown = await client(key=secret[:-1] + ("A" if secret[-1] != "A" else "B"))("GET", "/api/v1/credits")
    assert unknown.status == 401


async def test_rotation_lets_both_secrets_work_for_a_while(
    client: MakeClient, ada: Client, clock: FixedClock
) -> None:
    made = (await ada("POST", KEYS, {"name": "k", "scopes": ["credits:read"], "requests_per_minute": 9})).body
    old = client(key=made["key"])
    assert await status(old) == 200
    turned = await ada("POST", f"{KEYS}/{made['id']}/rotate", {"overlap_days": 2})
    assert turned.status == 201
    key = turned.body
    assert (key["id"], key["name"], key["requests_per_minute"]) == (made["id"], "k", 9)
    assert key["key"] != made["key"]
    assert key["previous_prefix"] == made["prefix"]
    (listed,) = (await ada("GET", KEYS)).body["items"]
    assert (listed["prefix"], listed["previous_prefix"]) == (key["prefix"], made["prefix"])
    new = client(key=key["key"])
    assert [await status(old), await status(new)] == [200, 200]
    again = await ada("POST", f"{KEYS}/{made['id']}/rotate", {"overlap_days": 1})
    assert (again.status, again.body["code"]) == (409, "keys.rotating")
    clock.at += timedelta(days=2)
    assert [await status(old), await status(new)] == [401, 200]
    await ada.sign_in("ada@example.org")
    (listed,) = (await ada("GET", KEYS)).body["items"]
    assert (listed["previous_prefix"], listed["previous_until"]) == (None, None)
    assert (await ada("POST", f"{KEYS}/{made['id']}/rotate", {"overlap_days": 7})).status == 201
    for bad in ({"overlap_days": 8}, {"overlap_days": -1}, {"overlap_days": "x"}):
        assert (await ada("POST", f"{KEYS}/{made['id']}/rotate", bad)).status == 422


async def test_rotation_without_overlap_ends_every_earlier_secret(client: MakeClient, ada: Client) -> None:
    made = (await ada("POST", KEYS, {"name": "k", "scopes": ["credits:read"]})).body
    path = f"{KEYS}/{made['id']}/rotate"
    second = (await ada("POST", path, {"overlap_days": 7})).body["key"]
    programs = [client(key=made["key"]), client(key=second)]
    assert [await status(program) for program in programs] == [200, 200]
    third = client(key=(await ada("POST", path, {"overlap_days": 0})).body["key"])

    async def ended() -> bool:
        return [await status(program) for program in programs] == [401, 401]

    await until(ended, 1)
    assert await status(third) == 200


async def test_revoking_ends_both_secrets(client: MakeClient, ada: Client) -> None:
    made = (await ada("POST", KEYS, {"name": "k", "scopes": ["credits:read"]})).body
    new = (await ada("POST", f"{KEYS}/{made['id']}/rotate", {})).body["key"]
    programs = [client(key=made["key"]), client(key=new)]
    assert [await status(program) for program in programs] == [200, 200]
    await ada("DELETE", f"{KEYS}/{made['id']}")

    async def ended() -> bool:
        return [await status(program) for program in programs] == [401, 401]

    await until(ended, 1)


@pytest.mark.parametrize("overlap", [0, 1])
async def test_of_rotations_at_once_one_secret_is_left(client: MakeClient, ada: Client, overlap: int) -> None:
    made = (await ada("POST", KEYS, {"name": "k", "scopes": ["credits:read"]})).body
    answers = await asyncio.gather(
        *(ada("POST", f"{KEYS}/{made['id']}/rotate", {"overlap_days": overlap}) for _ in range(6))
    )
    won = [answer.body["key"] for answer in answers if answer.status == 201]
    assert {answer.status for answer in answers} <= {201, 409}
    if overlap:
        assert len(won) == 1
    # Whatever the order, exactly one of the secrets that were handed out is the key's.
    assert [await status(client(key=key)) for key in won].count(200) == 1
    assert await status(client(key=made["key"])) == (200 if overlap else 401)


async def test_changing_and_rotating_need_a_fresh_proof_by_the_owner(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, ada: Client, clock: FixedClock
) -> None:
    made = (await ada("POST", KEYS, {"name": "k"})).body
    path = f"{KEYS}/{made['id']}"
    await make_user("bob", "super_admin")
    bob = client()
    await bob.sign_in("bob@example.org")
    owner = (await ada("GET", "/api/v1/session")).body["user"]["id"]
    program = client(key=await make_key(owner))
    for method, where, body in (("PATCH", path, {"name": "x"}), ("POST", f"{path}/rotate", {})):
        assert (await bob(method, where, body)).status == 404
        assert (await program(method, where, body)).body["code"] == "auth.session_required"
        assert (await client()(method, where, body)).status == 401
    clock.at += PROOF_LIFE
    for method, where, body in (("PATCH", path, {"name": "x"}), ("POST", f"{path}/rotate", {})):
        assert (await ada(method, where, body)).body["code"] == "auth.fresh_proof_needed"


@pytest.mark.parametrize(
    "bounds",
    [{"models": ["m"]}, {"networks": ["127.0.0.0/8"]}, {"parallel_requests": 1}, {"budget": ("1", "day")}],
)
async def test_a_bound_key_makes_no_unbound_one(
    client: MakeClient, ada: Client, make_key: MakeKey, bounds: dict[str, Any]
) -> None:
    owner = (await ada("GET", "/api/v1/session")).body["user"]["id"]
    program = client(key=await make_key(owner, wish=bounds))
    refused = await program("POST", KEYS, {"name": "child"})
    assert (refused.status, refused.code) == (403, "keys.bound_maker")
