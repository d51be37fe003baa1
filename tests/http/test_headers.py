"""The protective headers stand on every answer, whoever asks and whatever the answer is."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.http.conftest import Front
from tests.http.wire import Reply

from aihub.kernel.http.middleware import SecurityHeaders

pytestmark = pytest.mark.xdist_group("http")

FIXED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-dns-prefetch-control": "off",
    "x-permitted-cross-domain-policies": "none",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
NONE = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def _ask(front: Front, method: str, path: str, body: bytes | None = None) -> Reply:
    return front.wire.send(method, path, body, key=front.user if path != "/api/v1/session" else None)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 200),
        ("GET", "/health", None, 200),
        ("GET", "/api/docs", None, 200),
        ("GET", "/api/openapi.json", None, 200),
        ("GET", "/api/v1/conversations", None, 200),
        ("GET", "/api/v1/users", None, 403),
        ("GET", "/api/nope", None, 404),
        ("TRACE", "/api/v1/keys", None, 405),
        ("POST", "/api/v1/conversations", b"{", 400),
        ("POST", "/api/v1/conversations", b"x" * (1024**2 + 1), 413),
        ("POST", "/v1/chat/completions", b"{}", 400),
        ("GET", "/api/v1/session", None, 401),
    ],
)
def test_every_answer_has_them(front: Front, method: str, path: str, body: bytes | None, status: int) -> None:
    reply = _ask(front, method, path, body)
    assert reply.status == status, reply.body
    assert {name: reply.headers.get(name) for name in FIXED} == FIXED
    assert "camera=()" in reply.headers["permissions-policy"]
    assert "strict-transport-security" not in reply.headers, "only where TLS is certain"
    assert "server" not in reply.headers
    if reply.headers["content-type"].startswith("text/html"):
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    else:  # what people wrote is never a page, even when somebody opens it as one
        assert reply.headers["content-security-policy"] == NONE
        assert reply.headers["cache-control"] == "no-store"


def test_a_page_runs_only_scripts_of_its_own_answer(front: Front) -> None:
    seen = set()
    for _ in range(3):
        reply = front.wire.send("GET", "/chat")
        policy = dict(
            part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";")
        )
        (nonce,) = re.findall(r"'nonce-([\w-]{20,})'", policy["script-src"])
        assert policy["script-src"] == f"'self' 'nonce-{nonce}'"
        assert policy["object-src"] == "'none'"
        assert policy["base-uri"] == "'self'"
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(" ".join(policy.values()).split())
        inline = re.findall(rb"<script(?![^>]*\bsrc=)([^>]*)>", reply.body)
        assert all(nonce.encode() in attributes for attributes in inline)
        seen.add(nonce)
    assert len(seen) == 3, "a nonce that comes twice is none"


@pytest.mark.parametrize("production", [True, False])
def test_browsers_are_bound_to_tls_in_production(production: bool) -> None:
    app = SecurityHeaders(Starlette(), hsts=production)
    told = TestClient(app).get("/").headers.get("strict-transport-security", "")
    assert told.startswith("max-age=31536000") is production
