"""Logs: one JSON object a line with the same fields, and no secret in any of them."""

import json
import logging
import urllib.request
from typing import Any

import pytest
from tests.services.monitoring.conftest import TOKEN, Site
from tests.services.monitoring.test_health import wait

from aihub.kernel.settings import MASK
from aihub.kernel.telemetry.logs import redact

pytestmark = pytest.mark.xdist_group("monitoring")


def entries(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in list(site.hub.lines) if line.startswith("{")]


def test_every_line_has_the_same_fields(site: Site) -> None:
    request_id = "trace-me-0123456789"
    request = urllib.request.Request(f"{site.hub.url}/health", headers={"X-Request-ID": request_id})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["X-Request-ID"] == request_id
    wait(lambda: any(request_id in line for line in list(site.hub.lines)))
    found = entries(site)
    for entry in found:
        assert {"timestamp", "level", "message", "context", "environment", "version"} <= set(entry)
        assert entry["level"] in ("debug", "info", "warn", "error")
        assert entry["timestamp"].endswith("Z")
        assert isinstance(entry["context"], dict)
    mine = [e["context"] for e in found if e["context"].get("request_id") == request_id]
    assert [c["path"] for c in mine] == ["/health"]
    assert mine[0]["status"] == 200


def test_a_strange_request_id_is_replaced(site: Site) -> None:
    for given in ("x", "a" * 65, "with space 12345", "new\tline-0123"):
        request = urllib.request.Request(f"{site.hub.url}/health", headers={"X-Request-ID": given})
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["X-Request-ID"] != given


def test_no_secret_reaches_a_log(site: Site) -> None:
    site.hub.get(f"/api/v1/users?api_key={site.admin}", key=site.admin)
    site.hub.get(f"/no/{site.user}/page")
    site.hub.post("/api/v1/session", {"email": "ada@example.org", "password": "correct horse battery"})
    site.hub.post(
        "/v1/chat/completions",
        {"model": "plain", "messages": [{"role": "user", "content": "x"}]},
        key=site.user,
    )
    everything = "\n".join(site.hub.lines)
    for secret in (site.admin, site.user, TOKEN, "correct horse battery", "sk-upstream-secret-value"):
        assert secret not in everything
    password = site.dsn.partition("://")[2].partition("@")[0].partition(":")[2]
    assert not password or password not in everything


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key ahk_abcd1234_efgh in use", f"key {MASK} in use"),
        ("sk-proj-abcdefgh12345", MASK),
        ("Authorization: Bearer abc.def-ghi_jkl==", f"Authorization: Bearer {MASK}"),
        ("postgresql://aihub:s3cret@db/aihub", f"postgresql://{MASK}@db/aihub"),
        ("redis://:s3cret@redis:6379/0", f"redis://{MASK}@redis:6379/0"),
        ("host=db password=s3cret dbname=a", f"host=db password={MASK} dbname=a"),
        ("GET /x?api_key=s3cret&b=1", f"GET /x?api_key={MASK}&b=1"),
        ('{"client_secret": "s3cret", "a": 1}', f'{{"client_secret": "{MASK}", "a": 1}}'),
        ("cookie __Host-aihub=abc-def; theme=dark", f"cookie __Host-aihub={MASK}; theme=dark"),
        ("the token is fine and https://example.org/a:b@c stays", None),
        ("12 tokens, 3 passwords", None),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, left: str | None) -> None:
    assert redact(text) == (left if left is not None else redact(text))
    assert "s3cret" not in str(redact(text))
    assert redact(f"before {text}\nafter") == f"before {redact(text)}\nafter"


def test_names_mask_values_at_every_depth() -> None:
    given = {
        "password": "x", "API_KEY": "x", "nested": [{"session_token": "x", "plain": "y"}], "dsn": b"x",
        "input_tokens": 12, "tokens": ["x", "y"], "authorization": None, "empty_secret": "",
    }  # fmt: skip
    assert redact(given) == {
        "password": MASK, "API_KEY": MASK, "nested": [{"session_token": MASK, "plain": "y"}], "dsn": MASK,
        "input_tokens": 12, "tokens": [MASK, MASK], "authorization": None, "empty_secret": "",
    }  # fmt: skip
    assert logging.getLogger("aihub").handlers == []
