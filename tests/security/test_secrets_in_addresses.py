"""A key in an address is refused before anybody looks at it, and nothing writes it down."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import pytest
from tests.services.conftest import MakeClient, MakeUser
from tests.services.gateway.conftest import Hub

from aihub.kernel.http.secrets_in_address import SECRET
from aihub.services.identity.domain import new_key

MakeKey = Callable[..., Awaitable[str]]


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/credits?api_key={key}", "/api/v1/credits?key={key}", "/api/v1/credits?{key}",
        "/api/v1/credits?q=a%20{key}", "/api/v1/credits/{key}", "/{key}", "/?x={key}", "/chat?next=/{key}",
        "/health/live?k={key}", "/api/v1/credits?q={quoted}", "/api/v1/credits?q={twice}",
        "/api/v1/credits?q={short}", "/s/{twice}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("signed", [False, True])
async def test_a_key_in_an_address_is_refused(
    client: MakeClient,
    make_user: MakeUser,
    make_key: MakeKey,
    capfd: pytest.CaptureFixture[str],
    address: str,
    signed: bool,
) -> None:
    key = await make_key((await make_user("ada")).id)
    quoted = "".join(f"%{ord(char):02x}" for char in key)
    answer = await client(key=key if signed else None)(
        "GET", address.format(key=key, quoted=quoted, twice=quote(quoted), short=key[:32])
    )
    assert (answer.status, answer.code) == (400, "request.secret_in_address")
    secret = key.split("_", 2)[2][:16]
    assert secret not in str(answer.body)
    assert "rotate" in answer.body["remedy"]
    said = "".join(capfd.readouterr())
    assert "status=400" in said
    assert secret not in said
    assert quoted[-30:] not in said


@pytest.mark.parametrize(
    "name",
    ["key", "api_key", "api-key", "apikey", "token", "access_token", "Key", "x-api-key", "%6bey", "key[]"],
)
async def test_what_is_named_like_a_key_is_refused_by_the_api(client: MakeClient, name: str) -> None:
    for path in ("/api/v1/credits", "/v1/models"):
        answer = await client()("GET", f"{path}?limit=1&{name}=sk-something")
        assert answer.status == 400, path


async def test_what_is_no_key_is_let_through(client: MakeClient) -> None:
    for address in (
        "/api/v1/credits", "/api/v1/credits?key=", "/api/v1/credits?keyword=ahk_",
        "/api/v1/credits?q=ahk_abcdefgh", "/api/v1/credits?q=a%25b%",
    ):  # fmt: skip
        assert (await client()("GET", address)).status == 401, address
    page = await client().http.get("/nothing?token=x")
    assert page.status_code in (200, 404)  # with the web app, and without


async def test_it_is_refused_in_the_shape_of_the_dialect(models: Hub) -> None:
    answer = await models.call("GET", f"/v1/models?api_key={models.admin.key}")
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, "request.secret_in_address")
    assert models.admin.key.split("_", 2)[2] not in answer.body.decode()


def test_every_key_is_found_by_the_pattern_that_is_documented() -> None:
    for _ in range(200):
        key, shown = new_key()
        assert SECRET.fullmatch(key)
        assert SECRET.search(f"https://hub.example.org/x?y={key}&z=1")
        assert not SECRET.search(shown)
