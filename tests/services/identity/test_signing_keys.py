"""The keys that sign access tokens: what they are trusted for, and how they are changed."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import text
from tests.services.conftest import Client, MakeClient, MakeUser
from tests.services.identity.test_tokens import HOME, claims_of, one, program, refresh, refuses, tidy

from aihub.kernel.clock import FixedClock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts.tokens import TokenInvalid
from aihub.services.identity.service import TokenDesk, signing


def header_of(access: str) -> dict[str, Any]:
    part = access.split(".", maxsplit=1)[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


async def published(client: MakeClient) -> dict[str, dict[str, Any]]:
    answer = await client()("GET", "/.well-known/jwks.json")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    return {key["kid"]: key for key in answer.body["keys"]}


async def rotate(hub: Runtime, *, distrust: bool = False) -> None:
    async with hub.database.work(system("test")) as work:
        await service.rotate_keys(work, hub.get(Crypto), hub.clock, distrust=distrust)


async def private_key(hub: Runtime, kid: str) -> ECKey:
    """What only the hub can do: open the private key."""
    async with hub.database.work(system("test")) as work:
        sealed = await work.session.scalar(
            text("select sealed from signing_keys where kid = :kid"), {"kid": kid}
        )
        return ECKey.import_key(
            (await hub.get(Crypto).open(work, sealed, context=f"signing key:{kid}")).decode()
        )


async def test_anybody_can_verify_a_token_with_the_published_keys(
    client: MakeClient, make_user: MakeUser
) -> None:
    user = await make_user("ada")
    robot, _ = await program(client)
    keys = await published(client)
    assert len(keys) == 2, "the one that signs, and the next one ahead of its time"
    for key in keys.values():
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
        assert "d" not in key
    header = header_of(robot.key or "")
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": header["kid"]}
    token = jwt.decode(robot.key or "", ECKey.import_key(keys[header["kid"]]), algorithms=["ES256"])
    claims = token.claims
    assert set(claims) == {"iss", "aud", "sub", "sid", "jti", "iat", "exp"}
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("urn:aihub", "urn:aihub:api", str(user.id))
    assert claims["exp"] - claims["iat"] == 900


async def test_private_keys_lie_sealed_in_the_database(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    robot, _ = await program(client)
    key = await private_key(hub, header_of(robot.key or "")["kid"])
    secret = key.as_dict(private=True)["d"]
    raw = base64.urlsafe_b64decode(str(secret) + "==")
    async with hub.database.work(system("test")) as work:
        rows = (await work.session.execute(text("select r::text, sealed from signing_keys r"))).all()
    assert rows
    for row, sealed in rows:
        assert str(secret) not in row
        assert raw not in sealed
        assert b"PRIVATE KEY" not in sealed


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "urn:another"},
        {"aud": "urn:another"},
        {"aud": ["urn:aihub:api", "urn:another"]},
        {"sub": "01920000-0000-7000-8000-000000000000"},
        {"sub": "ada"},
        {"sid": "01920000-0000-7000-8000-000000000000"},
        {"sid": None},
        {"jti": 1},
        {"iat": "x"},
        {"iat": 1e300},
        {"exp": True},
        {"exp": 10**18},
        {"iat": +60, "exp": +960},
        {"iat": 0, "exp": +60 * 60},
        {"iat": 0, "exp": 0},
        {"nbf": 0},
        {"scope": ["users:read"]},
        {"scope": None, "more": "x"},
        {"jti": "-"},
    ],
    ids=str,
)
async def test_claims_of_any_other_form_are_refused_even_with_our_signature(
    client: MakeClient, make_user: MakeUser, hub: Runtime, change: dict[str, Any]
) -> None:
    await make_user("ada")
    robot, _ = await program(client)
    header, claims = header_of(robot.key or ""), claims_of(robot.key or "")
    key = await private_key(hub, header["kid"])
    now = claims["iat"]
    changed = {
        name: now + value if name in ("iat", "exp") and type(value) is int and value < 10**9 else value
        for name, value in change.items()
    }
    missing = [name for name, value in changed.items() if value in (None, "-")]
    forged = {name: value for name, value in (claims | changed).items() if name not in missing}
    token = jwt.encode(header, forged, key, algorithms=["ES256"])
    answer = await client(key=token)("GET", HOME)
    assert answer.status == 401, answer.body
    assert answer.code in ("auth.token_invalid", "auth.session_ended")
    same = jwt.encode(header, claims, key, algorithms=["ES256"])
    assert (await client(key=same)("GET", HOME)).status == 200, "the test itself signs rightly"


async def test_other_algorithms_keys_and_headers_are_refused(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    robot, _ = await program(client)
    whole = robot.key or ""
    header, claims = header_of(whole), claims_of(whole)
    ours = await private_key(hub, header["kid"])
    public = (await published(client))[header["kid"]]
    theirs = ECKey.generate_key("P-256")
    head, body, signature = whole.split(".")

    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    hmac_key = OctKey.import_key(json.dumps(public))
    forged = [
        jwt.encode(header, claims, theirs, algorithms=["ES256"]),
        jwt.encode(header | {"kid": "unknown"}, claims, ours, algorithms=["ES256"]),
        jwt.encode(header | {"typ": "JWT"}, claims, ours, algorithms=["ES256"]),
        jwt.encode(
            {"alg": "ES256", "kid": header["kid"]}, claims, ours, algorithms=["ES256"], default_type=None
        ),
        jwt.encode(header | {"jwk": theirs.as_dict()}, claims, theirs, algorithms=["ES256"]),
        jwt.encode(header | {"jku": "https://evil.example"}, claims, ours, algorithms=["ES256"]),
        jwt.encode(header | {"alg": "HS256"}, claims, hmac_key, algorithms=["HS256"]),
        f"{encoded(header | {'alg': 'none'})}.{body}.",
        f"{encoded(header | {'alg': 'none'})}.{body}.{signature}",
        f"{head}.{encoded(claims | {'scope': '*'})}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        f"{head}..{signature}",
        f".{body}.{signature}",
        f"{encoded([])}.{body}.{signature}",
        f"{head}.{encoded([1])}.{signature}",
        f"{encoded({'alg': 'ES256', 'kid': ['x'], 'typ': 'at+jwt'})}.{body}.{signature}",
        "[" * 2000 + "..",
        f"{base64.urlsafe_b64encode(b'[' * 2900).decode()}.{body}.x",
    ]
    for token in forged:
        answer = await client(key=token)("GET", HOME)
        assert (answer.status, answer.code) == (401, "auth.token_invalid"), token[:80]
    assert (await robot("GET", HOME)).status == 200
    for odd in (f"{head}.é.{signature}", f"é.{body}.{signature}", f"{head}.{body}.\udcff", "\0.\0.\0"):
        with pytest.raises(TokenInvalid):
            await hub.get(TokenDesk).signer.read(odd)


async def test_a_rotation_signs_nobody_out_and_ends_with_the_last_token(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    await make_user("ada")
    before, given = await program(client)
    old = header_of(before.key or "")["kid"]
    announced = set(await published(client)) - {old}
    clock.at += timedelta(minutes=1)
    await rotate(hub)
    after, _ = await program(client)
    new = header_of(after.key or "")["kid"]
    assert {new} == announced, "others could fetch the key before it was used"
    assert (await before("GET", HOME)).status == 200
    assert (await after("GET", HOME)).status == 200
    assert set(await published(client)) > {old, new}
    # Nothing that the retired key signs from now on counts.
    late = {**claims_of(before.key or ""), "iat": int(clock.at.timestamp()) + 9}
    late["exp"] = late["iat"] + 900
    key = await private_key(hub, old)
    clock.at += timedelta(seconds=30)
    late["iat"] += 30
    late["exp"] = late["iat"] + 900
    stolen = jwt.encode(header_of(before.key or ""), late, key, algorithms=["ES256"])
    assert (await client(key=stolen)("GET", HOME)).code == "auth.token_invalid"
    await tidy(hub)
    assert old in await published(client), "its tokens have not expired"
    assert (await refresh(client(), given["refresh_token"])).status == 200
    clock.at += timedelta(minutes=17)
    await tidy(hub)
    async with asyncio.timeout(60):
        while old in await published(client):
            pass
    assert new in await published(client)


async def test_a_leaked_key_is_distrusted_at_once_and_programs_just_refresh(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    robot, given = await program(client)
    before = set(await published(client))
    await rotate(hub, distrust=True)
    await refuses(robot, HOME, 401)
    assert not before & set(await published(client))
    following = await refresh(client(), given["refresh_token"])
    assert following.status == 200
    assert (await client(key=following.body["access_token"])("GET", HOME)).status == 200


async def test_many_at_once_make_one_pair_and_rotations_queue(hub: Runtime) -> None:
    async def ensure() -> None:
        async with hub.database.work(system("test")) as work:
            await signing.ensure_keys(work, hub.get(Crypto), hub.clock)

    await asyncio.gather(*(ensure() for _ in range(6)))
    assert await one(hub, "select count(*) from signing_keys") == 2
    await asyncio.gather(*(rotate(hub) for _ in range(4)))
    states = await one(hub, "select string_agg(state, ' ' order by state) from signing_keys")
    assert states == "current next retired retired retired retired"
    assert await one(hub, "select count(*) from audit_log where action = 'signing_key.rotate'") == 4


async def test_tokens_work_while_keys_are_rotated(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    """No moment at which a token that was just given is refused."""
    await make_user("ada")
    robot, given = await program(client)
    done = asyncio.Event()

    async def use(someone: Client, token: str) -> int:
        rounds = 0
        while not done.is_set() or rounds < 3:
            answer = await refresh(client(), token)
            assert answer.status == 200, answer.body
            token = answer.body["refresh_token"]
            someone.key = answer.body["access_token"]
            assert (await someone("GET", HOME)).status == 200
            rounds += 1
        return rounds

    async def change() -> None:
        for _ in range(5):
            await rotate(hub)
        done.set()

    rounds, _ = await asyncio.gather(use(robot, given["refresh_token"]), change())
    assert rounds >= 3
    assert len(await hub.get(TokenDesk).signer.keys()) == 7
