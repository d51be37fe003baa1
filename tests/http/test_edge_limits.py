"""Who does not say who they are may call only so often; who does is not held up by the others."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.http.test_bad_input import refused
from tests.http.wire import Reply, Wire
from tests.support.hub import Hub, running_hub

from aihub.kernel.http.edge import address_key

pytestmark = pytest.mark.xdist_group("edge")

LIMITS = "edge.api=6/1h burst 6,edge.auth=3/1h burst 3,api.general=4/1h"


def from_(address: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"X-Forwarded-For", address.encode()),)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub(AIHUB_EMBEDDED="false", AIHUB_LIMITS=LIMITS, AIHUB_TRUSTED_PROXIES="127.0.0.1") as hub:
        yield hub


@pytest.fixture(scope="module")
def key(hub: Hub) -> str:
    return hub.create_admin()


@pytest.fixture
def wire(hub: Hub) -> Wire:
    return Wire(hub.port)


def get(wire: Wire, path: str, address: str, **rest: Any) -> Reply:
    return wire.send("GET", path, headers=from_(address), **rest)


def limited(reply: Reply, policy: str) -> None:
    assert reply.status == 429, reply.body
    refused(reply)
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.headers["ratelimit"].startswith(f'"{policy}";r=0;t=')
    assert reply.headers["ratelimit-policy"].startswith(f'"{policy}";q=')


def test_anonymous_requests_are_counted_per_address(wire: Wire) -> None:
    first = get(wire, "/api/v1/users", "192.0.2.1")
    assert first.status == 401
    assert first.headers["ratelimit"].startswith('"api-general";r=3;t=')
    for _ in range(3):
        assert get(wire, "/api/openapi.json", "192.0.2.1").status == 200
    limited(get(wire, "/api/v1/shared/x", "192.0.2.1"), "api-general")
    limited(get(wire, "/api/nope", "192.0.2.1"), "api-general")
    assert get(wire, "/api/v1/users", "192.0.2.2").status == 401


def test_wrong_credentials_count_and_right_ones_do_not(wire: Wire, key: str) -> None:
    for _ in range(4):
        assert get(wire, "/api/v1/users", "192.0.2.10", key="ahk_wrong").status == 401
    limited(get(wire, "/api/v1/users", "192.0.2.10", key="ahk_wrong"), "api-general")
    for _ in range(20):
        assert get(wire, "/api/v1/users", "192.0.2.10", key=key).status == 200


def test_credentials_that_nobody_looks_at_do_not_count_as_valid(wire: Wire, key: str) -> None:
    for _ in range(4):
        assert get(wire, "/api/v1/shared/x", "192.0.2.12", key="ahk_wrong").status == 404
    limited(get(wire, "/api/v1/shared/x", "192.0.2.12", key="ahk_wrong"), "api-general")
    for _ in range(8):
        assert wire.send("POST", "/api/v1/keys", b"{", key=key, headers=from_("192.0.2.13")).status == 400
        assert wire.send("POST", "/api/v1/keys", b"{}", key=key, headers=from_("192.0.2.13")).status == 422


def test_openai_clients_are_told_in_their_own_words(wire: Wire) -> None:
    for _ in range(4):
        assert get(wire, "/v1/models", "192.0.2.11", key="sk-foreign").status == 401
    reply = get(wire, "/v1/models", "192.0.2.11", key="sk-foreign")
    assert reply.status == 429
    assert reply.json()["error"]["code"] == "rate_limit_exceeded"
    assert reply.headers["retry-after"]


def test_pages_health_and_preflights_are_free(wire: Wire) -> None:
    for _ in range(30):
        for path in ("/", "/chat", "/health", "/api/health", "/api/status/health", "/health/live"):
            assert get(wire, path, "192.0.2.20").status == 200
        assert wire.send("OPTIONS", "/api/v1/users", headers=from_("192.0.2.20")).status == 405
    assert get(wire, "/api/v1/setup", "192.0.2.20").status == 200


@pytest.mark.parametrize(("number", "path"), [(0, "/metrics"), (1, "/api/metrics"), (2, "/core/metrics")])
def test_guesses_at_the_token_of_the_metrics_are_counted(
    wire: Wire, key: str, number: int, path: str
) -> None:
    address = f"192.0.2.{50 + number}"
    for guess in (None, "ahk_wrong", "s3cret", "letmein"):
        assert get(wire, path, address, key=guess).status == 401
    limited(get(wire, path, address, key="hunter2"), "api-general")
    limited(get(wire, "/api/v1/users", address), "api-general")
    for _ in range(8):
        assert get(wire, path, address, key=key).status == 200
        assert get(wire, "/health", address).status == 200


def test_signing_in_has_its_own_limit(wire: Wire) -> None:
    body = json.dumps({"email": "nobody@example.org", "password": "wrong wrong wrong"}).encode()

    def sign_in() -> Reply:
        return wire.send("POST", "/api/v1/session", body, headers=from_("192.0.2.30"))

    assert [sign_in().status for _ in range(3)] == [401, 401, 401]
    limited(sign_in(), "edge-auth")
    setup = wire.send("POST", "/api/v1/setup", b"{}", headers=from_("192.0.2.30"))
    limited(setup, "edge-auth")


def test_reading_the_sign_in_page_uses_up_no_quarter_of_an_hour(wire: Wire) -> None:
    statuses = [get(wire, "/api/v1/session", "192.0.2.40").status for _ in range(7)]
    assert statuses == [401] * 6 + [429]
    limited(get(wire, "/api/v1/setup", "192.0.2.40"), "edge-api")


def test_an_untrusted_peer_cannot_choose_its_address() -> None:
    with running_hub(AIHUB_EMBEDDED="false", AIHUB_LIMITS="api.general=2/1h") as hub:
        wire = Wire(hub.port)
        replies = [get(wire, "/api/v1/users", f"192.0.2.{n}").status for n in range(4)]
    assert replies == [401, 401, 429, 429]


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_one_caller_is_an_address_or_a_network(host: str, counted: str) -> None:
    assert address_key(host) == counted
