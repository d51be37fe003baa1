"""Whatever arrives, the answer is a refusal with a code and a remedy, and nothing is half-written."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.http.conftest import Front
from tests.http.tolerated import answered_otherwise, is_text
from tests.http.wire import Reply

pytestmark = pytest.mark.xdist_group("http")

NOWHERE = "01920000-0000-7000-8000-000000000000"
DEEP = 100_000
TEXTS = (
    "name", "title", "text", "query", "email", "password", "model", "token", "reason", "amount",
    "current_password", "new_password", "system_prompt", "upstream_name", "base_url", "api_key",
)  # fmt: skip
NUMBERS = (
    "amount",
    "context_length",
    "max_output",
    "input_price",
    "request_price",
    "credits",
    "max_tokens",
    "n",
)


def everywhere(value: object, names: tuple[str, ...] = TEXTS, **more: object) -> bytes:
    """A body in which every text of every route has this value."""
    chat = {"messages": [{"role": "user", "content": value}], "input": value}
    return json.dumps(dict.fromkeys(names, value) | {"kind": "openai"} | chat | more).encode()


BODIES: dict[str, bytes] = {
    "truncated": b'{"name": ',
    "two values": b'{"a": 1} {"b": 2}',
    "not a number": b'{"name": NaN, "model": Infinity, "title": NaN}',
    "plain text": b"hello",
    "a text": b'"hello"',
    "a number": b"1e999",
    "a list": b"[]",
    "not utf-8": b'{"name": "\xff\xfe", "title": "\xff"}',
    "half a surrogate": everywhere("\ud800"),
    "the other half": everywhere("long enough to be a password \udfff"),
    "nul": everywhere("long enough \0 to be a password", roles=["\0"], scopes=["\0"]),
    "lists for texts": everywhere([[{"a": []}]]),
    "objects for texts": everywhere({"a": {"b": 1}}),
    "huge numbers": json.dumps(dict.fromkeys(TEXTS + NUMBERS, 10**400)).encode(),
    "negative numbers": json.dumps(dict.fromkeys(TEXTS + NUMBERS, -1)).encode(),
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep within": b'{"model":"echo","messages":[{"role":"user","content":'
    + b"[" * DEEP
    + b"]" * DEEP
    + b"}]}",
    "one name thrice": b'{"name": "a", "name": "b", "name": ["c"], "title": "a", "title": ["b"]}',
}


def refused(reply: Reply, path: str = "/api/") -> dict[str, Any]:
    """The refusal's body, after checking that it is one: a 4xx that says what to do."""
    assert 400 <= reply.status < 500, (path, reply.status, reply.body[:600])
    body: dict[str, Any] = reply.json()
    assert reply.headers["x-request-id"]
    if path.startswith("/v1/") and reply.headers["content-type"] == "application/json":
        error = body["error"]
        assert error["message"], body
        assert error["code"], body
        assert error["type"], body
    else:
        assert reply.headers["content-type"] == "application/problem+json"
        assert body["status"] == reply.status
        assert body["type"] == f"urn:aihub:error:{body['code']}"
        assert body["title"], body
        assert body["remedy"], body
        assert body["request_id"] == reply.headers["x-request-id"]
    assert b"Traceback" not in reply.body
    return body


def operations(front: Front) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every route with identifiers of nothing."""
    described = front.hub.get("/api/openapi.json").json()
    assert isinstance(described, dict)
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"{\w+}", NOWHERE, path), operation


def written(front: Front) -> dict[str, object]:
    """What bad requests of the administrator could have left behind."""
    seen: dict[str, object] = {}
    for path in (
        "users",
        "keys",
        "conversations",
        "providers",
        "models",
        "credits",
        "credits/entries",
        "audit",
    ):
        seen[path] = [
            {k: v for k, v in item.items() if k not in ("last_used_at", "state")}
            for item in _items(front.hub.get(f"/api/v1/{path}", key=front.admin).json())
        ]
    return seen


def _items(body: Any) -> list[dict[str, Any]]:
    return body.get("items", [body])


@pytest.fixture(autouse=True)
def _nothing_broke(front: Front) -> Iterator[None]:
    """No request of these tests reaches the edge where unforeseen errors end."""
    before = len(front.hub.lines)
    yield
    assert [
        line for line in front.hub.lines[before:] if "unhandled error" in line or "Traceback" in line
    ] == []


@pytest.mark.parametrize("name", BODIES)
def test_every_route_refuses_a_body_it_cannot_read(front: Front, name: str) -> None:
    before = written(front)
    tried = 0
    for method, path, operation in operations(front):
        if "requestBody" not in operation:
            continue
        reply = front.wire.send(
            method, path, BODIES[name], key=front.admin, headers=((b"Idempotency-Key", b"bad"),)
        )
        if not answered_otherwise(reply, path):
            refused(reply, path)
        tried += 1
    assert tried >= 18
    assert written(front) == before


@pytest.mark.parametrize(
    "junk", [b"%00", b"abc", b"%ff", b"-1", b"9" * 60, b"..%2f..", b"%27%20or%201=1--", b"x" * 3000]
)
def test_junk_for_identifiers_is_refused(front: Front, junk: bytes) -> None:
    described = front.hub.get("/api/openapi.json").json()
    assert isinstance(described, dict)
    tried = 0
    for path, methods in described["paths"].items():
        if "{" not in path:
            continue
        for method in methods:
            target = re.sub(rb"{\w+}", lambda _: junk, path.encode())
            reply = front.wire.send(method.upper(), target, b"{}", key=front.admin)
            if not answered_otherwise(reply, path):
                refused(reply, path)
            tried += 1
    assert tried >= 20


@pytest.mark.parametrize("junk", ["%00", "zzz", "-5", "9" * 40, "%ff%fe", "eyJhIjoxfQ==", "..", "%27%22"])
def test_junk_in_queries_never_breaks_a_list(front: Front, junk: str) -> None:
    tried = 0
    for method, path, operation in operations(front):
        for parameter in operation.get("parameters", ()):
            if method != "GET" or parameter["in"] != "query":
                continue
            reply = front.wire.send("GET", f"{path}?{parameter['name']}={junk}", key=front.admin)
            tried += 1
            if answered_otherwise(reply, path):
                continue
            if reply.status >= 300:
                refused(reply, path)
            else:  # a search for junk finds nothing, and a filter may take any text
                assert parameter["name"] in ("cursor", "limit", "days") or is_text(parameter), path
    assert tried >= 20


def test_a_cursor_of_one_list_or_of_nobody_is_refused(front: Front) -> None:
    for path in ("users", "keys", "conversations", "credits/entries", "audit", "jobs"):
        for junk in ("zzz", "%00", "e30=", "9" * 40):
            reply = front.wire.send("GET", f"/api/v1/{path}?cursor={junk}", key=front.admin)
            assert reply.status in (400, 422), (path, junk, reply.body)
            refused(reply)


# ---------------------------------------------------------------- sizes


def _chunked(size: int) -> bytes:
    piece = b"x" * 65536
    return (
        b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for _ in range(size // len(piece) + 1)) + b"0\r\n\r\n"
    )


TRANSFER = ((b"Transfer-Encoding", b"chunked"),)


@pytest.mark.parametrize("path", ["/api/v1/conversations", "/v1/chat/completions", "/api/v1/session"])
def test_bodies_above_the_limit_are_refused_however_they_come(front: Front, path: str) -> None:
    key = None if path.endswith("session") else front.user
    send = front.wire.send
    json_limit, limit = 1024**2, 10 * 1024**2
    for reply in (
        send("POST", path, b'{"title":"' + b"x" * json_limit + b'"}', key=key),
        send("POST", path, _chunked(json_limit), key=key, headers=TRANSFER),
        send("POST", path, b"x" * limit + b"x", key=key, kind=b"text/plain"),
        send("POST", path, b"{}", key=key, headers=((b"Content-Length", b"99999999999"),)),
    ):
        assert reply.status == 413, reply.body
        refused(reply, path)


def test_a_body_without_a_kind_counts_as_json(front: Front) -> None:
    reply = front.wire.send(
        "POST",
        "/v1/chat/completions",
        b" " * (1024**2 + 1),
        key=front.user,
        headers=((b"Content-Type", b""),),
    )
    assert reply.status in (400, 413)
    refused(reply, "/v1/")


def test_large_but_allowed_bodies_are_read(front: Front) -> None:
    text = "word " * 200_000
    reply = front.wire.send(
        "POST", "/api/v1/conversations", json.dumps({"system_prompt": text}).encode(), key=front.user
    )
    assert reply.status == 422
    assert refused(reply)["errors"][0]["field"] == "system_prompt"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_of_100_000_tokens_is_answered_or_refused(front: Front, stream: bool) -> None:
    content = "word " * 100_000
    body = {"model": "echo", "stream": stream, "messages": [{"role": "user", "content": content}]}
    reply = front.wire.send("POST", "/v1/chat/completions", json.dumps(body).encode(), key=front.user)
    if reply.status != 200:
        refused(reply, "/v1/")
    path = f"/api/v1/conversations/{_conversation(front)}/messages"
    reply = front.wire.send("POST", path, json.dumps({"text": content}).encode(), key=front.user)
    assert reply.status in (202, 402, 413, 422), reply.body


def _conversation(front: Front) -> str:
    made = front.hub.post("/api/v1/conversations", {"model": "echo"}, key=front.user).json()
    assert isinstance(made, dict)
    return str(made["id"])


def test_lengths_that_lie(front: Front) -> None:
    before = written(front)
    short = front.wire.send(
        "POST",
        "/api/v1/conversations",
        b'{"title": "half"}',
        key=front.admin,
        headers=((b"Content-Length", b"5"),),
    )
    refused(short)
    for value in (b"-1", b"abc", b"1e3", b"0x10", b"+5", "٣".encode()):
        refused(
            front.wire.send(
                "POST", "/api/v1/conversations", b"{}", key=front.admin, headers=((b"Content-Length", value),)
            )
        )
    smuggle = ((b"Content-Length", b"5"), *TRANSFER)
    refused(front.wire.send("POST", "/api/v1/conversations", b"0\r\n\r\n", key=front.admin, headers=smuggle))
    twice = ((b"Content-Length", b"2"), (b"Content-Length", b"3"))
    refused(front.wire.send("POST", "/api/v1/conversations", b"{}", key=front.admin, headers=twice))
    assert written(front) == before


def test_a_body_that_breaks_off_writes_nothing(front: Front) -> None:
    before = written(front)
    head = (
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + front.admin.encode() + b"\r\n"
    )
    front.wire.raw_unanswered(head + b'Content-Length: 60\r\n\r\n{"title": "half a request"}')
    front.wire.raw_unanswered(
        head + b'Transfer-Encoding: chunked\r\n\r\n1b\r\n{"title": "half a request"}\r\n'
    )
    assert written(front) == before


# ---------------------------------------------------------------- who

GARBAGE = (
    b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Digest x", b"Bearer \xff\xfe", b"\xc3\xa9", b"bearer ahk_x",
    b"Bearer ahk_" + b"a" * 5000, b"Bearer eyJhbGciOiJub25lIn0.e30.", b"Bearer null",
    b"Bearer ahk_00000000_" + b"a" * 43,
)  # fmt: skip


@pytest.mark.parametrize("value", GARBAGE)
def test_a_header_that_is_no_key_opens_nothing(front: Front, value: bytes) -> None:
    for path in ("/api/v1/users", "/v1/models", "/metrics", "/api/status/detailed"):
        reply = front.wire.send("GET", path, headers=((b"Authorization", value),))
        assert reply.status == 401, (path, reply.body)
        assert reply.headers["www-authenticate"].startswith("Bearer")
        refused(reply, path)


def test_expired_revoked_and_foreign_keys_open_nothing(front: Front) -> None:
    hub = front.hub
    made: Any = hub.post("/api/v1/keys", {"name": "short", "scopes": ["models:read"]}, key=front.user).json()
    assert hub.get("/api/v1/models", key=made["key"]).status == 200
    assert hub.request("DELETE", f"/api/v1/keys/{made['id']}", key=front.user).status == 204
    assert hub.get("/api/v1/models", key=made["key"]).status == 401
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert hub.post("/api/v1/keys", {"name": "late", "expires_at": past}, key=front.user).status == 422
    for seconds in (1.5, 5, 20):  # a busy machine may miss a short one
        soon = datetime.now(UTC) + timedelta(seconds=seconds)
        body = {"name": "soon", "scopes": ["models:read"], "expires_at": soon.isoformat()}
        reply = hub.post("/api/v1/keys", body, key=front.user)
        made = reply.json() if reply.status == 201 else made
        status = hub.get("/api/v1/models", key=made["key"]).status
        if status == 200:
            break
        assert datetime.now(UTC) >= soon
    assert status == 200
    front.wait(lambda: hub.get("/api/v1/models", key=made["key"]).status == 401)
    altered = front.user[:-1] + ("a" if front.user[-1] != "a" else "b")
    assert hub.get("/api/v1/models", key=altered).status == 401


def test_a_key_in_the_address_counts_for_nothing_and_stays_out_of_the_log(front: Front) -> None:
    for name in ("key", "api_key", "apikey", "access_token", "token", "authorization"):
        reply = front.wire.send("GET", f"/api/v1/users?{name}={front.admin}")
        assert reply.status == 400
        assert front.admin not in reply.body.decode()
        refused(reply)
    assert not any(front.admin in line for line in front.hub.lines)


@pytest.mark.parametrize(
    "cookie",
    [b"__Host-aihub=\xff\xfe", b"__Host-aihub=" + b"x" * 5000, b"__Host-aihub=a; __Host-aihub=b", b"=;=;"],
)
def test_cookies_that_are_no_session_open_nothing(front: Front, cookie: bytes) -> None:
    for method, path in (("GET", "/api/v1/session"), ("POST", "/api/v1/keys")):
        reply = front.wire.send(method, path, b'{"name": "x"}', headers=((b"Cookie", cookie),))
        assert reply.status == 401
        refused(reply)


# ---------------------------------------------------------------- where


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/api/nope", "/api/v1/user", "/api/v1/users/", "/api//v1/users", "/v1/nope", "/api/%ff"]
)
def test_unknown_api_addresses_are_404(front: Front, method: str, path: str) -> None:
    reply = front.wire.send(method, path, b"{}", key=front.admin)
    assert reply.status == 404, reply.body
    refused(reply, path)


def test_methods_an_address_does_not_take_are_405(front: Front) -> None:
    described = front.hub.get("/api/openapi.json").json()
    assert isinstance(described, dict)
    patterns = [
        (re.sub(r"{\w+}", "[^/]+", path), set(methods)) for path, methods in described["paths"].items()
    ]
    tried = 0
    for path, methods in described["paths"].items():
        for method in {"get", "post", "put", "patch", "delete", "trace"} - set(methods):
            target = re.sub(r"{\w+}", NOWHERE, path)
            if any(method in other and re.fullmatch(pattern, target) for pattern, other in patterns):
                continue  # a fixed word where another route has an identifier
            reply = front.wire.send(method.upper(), target, b"{}", key=front.admin)
            if "{model}" in path and method != "get":
                continue
            assert reply.status == 405, (method, path, reply.body)
            assert reply.headers["allow"]
            refused(reply, path)
            tried += 1
    assert tried > 100


@pytest.mark.parametrize(
    "path",
    [
        b"/%00", b"/assets/%00", b"/" + b"a" * 300, b"/" + b"a" * 9000, b"/assets/" + b"a/" * 3000,
        b"/../../etc/passwd", b"/assets/../../../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd",
        b"//etc/passwd",
        b"/assets/..%5c..%5cbuild.py", b"/assets/%2e%2e/%2e%2e/__init__.py", b"/..%2f__init__.py",
        b"/%ff%fe", b"/.gitkeep/../../__init__.py",
    ],
)  # fmt: skip
def test_tricks_with_paths_lead_to_the_page_or_to_nothing(front: Front, path: bytes) -> None:
    reply = front.wire.send("GET", path)
    assert reply.status in (200, 404), reply.body
    assert b"root:" not in reply.body
    assert b"__version__" not in reply.body
    if reply.status == 200:
        assert reply.headers["content-type"].startswith("text/html")
        assert "nonce-" in reply.headers["content-security-policy"]
    else:
        refused(reply)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/3.0\r\n\r\n",
        b"FOO /api/v1/users HTTP/1.1\r\nHost: hub\r\n\r\n",
        b"get /api/v1/users HTTP/1.1\r\nHost: hub\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : hub\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: hub\r\nX: a\0b\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    ],
)
def test_what_is_not_http_is_refused_as_a_problem(front: Front, data: bytes) -> None:
    reply = front.wire.raw(data, end=True)
    assert reply.status == 400
    assert refused(reply)["code"] == "request.malformed"


def test_endless_heads_are_refused(front: Front) -> None:
    one = front.wire.send("GET", "/api/v1/users", headers=((b"X-Long", b"x" * 70_000),))
    many = front.wire.send(
        "GET", "/api/v1/users", headers=tuple((b"X-%d" % n, b"x" * 50) for n in range(3000))
    )
    address = front.wire.send("GET", b"/api/v1/users?search=" + b"x" * 70_000)
    never_ending = front.wire.raw(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 300_000)
    for reply in (one, many, address, never_ending):
        assert reply.status == 431
        assert refused(reply)["code"] == "request.head_too_large"


# ---------------------------------------------------------------- money and repetition


def test_an_idempotency_key_belongs_to_one_request(front: Front) -> None:
    people: Any = front.hub.get("/api/v1/users", key=front.admin).json()
    bob = next(p["id"] for p in people["items"] if p["email"] == front.user_email)
    path = f"/api/v1/users/{bob}/credits"
    key = ((b"Idempotency-Key", b"once"),)
    first = front.wire.send("POST", path, b'{"amount": "5", "reason": "gift"}', key=front.admin, headers=key)
    again = front.wire.send("POST", path, b'{"amount": "5", "reason": "gift"}', key=front.admin, headers=key)
    other = front.wire.send("POST", path, b'{"amount": "6", "reason": "gift"}', key=front.admin, headers=key)
    assert first.status in (200, 201)
    assert again.json()["id"] == first.json()["id"]
    assert other.status == 409
    assert refused(other)["code"] == "request.idempotency_mismatch"
    chat = {"model": "echo", "messages": [{"role": "user", "content": "one"}]}
    assert (
        front.wire.send(
            "POST", "/v1/chat/completions", json.dumps(chat).encode(), key=front.admin, headers=key
        ).status
        == 200
    )
    chat["messages"][0]["content"] = "two"  # type: ignore[index]
    other = front.wire.send(
        "POST", "/v1/chat/completions", json.dumps(chat).encode(), key=front.admin, headers=key
    )
    assert other.status == 409
    refused(other, "/v1/")


@pytest.mark.parametrize(
    "amount", ["NaN", "Infinity", "-Infinity", "1e400", "0", "1e-9", "", "五", "1_000", "0x10", "9" * 40]
)
def test_amounts_that_are_no_credits_are_refused(front: Front, amount: str) -> None:
    people: Any = front.hub.get("/api/v1/users", key=front.admin).json()
    bob = next(p["id"] for p in people["items"] if p["email"] == front.user_email)
    before = front.hub.get("/api/v1/credits", key=front.user).body
    reply = front.wire.send(
        "POST", f"/api/v1/users/{bob}/credits", json.dumps({"amount": amount, "reason": "x"}).encode(),
        key=front.admin, headers=((b"Idempotency-Key", b"odd-" + amount.encode()[:20].hex().encode()),),
    )  # fmt: skip
    refused(reply)
    assert front.hub.get("/api/v1/credits", key=front.user).body == before


@pytest.mark.parametrize(
    "model", ["nope", "", "x" * 5000, "../../etc", "\0", "echo ", None, 5, {"a": 1}, ["echo"]]
)
def test_unknown_models_are_refused_before_anything_is_paid(front: Front, model: object) -> None:
    before = front.hub.get("/api/v1/credits", key=front.user).body
    for path, rest in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}]}),
        ("/v1/embeddings", {"input": "hello"}),
    ):
        reply = front.wire.send("POST", path, json.dumps({"model": model, **rest}).encode(), key=front.user)
        refused(reply, path)
    assert front.hub.get("/api/v1/credits", key=front.user).body == before
