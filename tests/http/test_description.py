"""The OpenAPI description is true: generated requests get what it says, and never a 500."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.http.conftest import UNLIMITED
from tests.support.hub import Hub, clean_environment, running_hub
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.xdist_group("description"), pytest.mark.slow]

CHECKS = (
    "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance",
    "missing_required_header",
)  # fmt: skip
# Streams end when their run ends; metrics are text of another standard.
STREAMS = "/stream$|^/metrics$"
# With these the caller sooner or later shuts itself out, and all that follows would be a 401.
SUICIDE = r"/users/\{user_id\}$|/keys/\{key_id\}$"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with (
        Upstream() as upstream,
        running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo", AIHUB_LIMITS=UNLIMITED) as hub,
    ):
        hub.create_admin("root@example.org")
        hub.cli(
            "model",
            "add",
            "--provider",
            "openai",
            "--base-url",
            upstream.url,
            "--name",
            "echo",
            "--allow-private",
        )
        yield hub


def _key(hub: Hub, role: str) -> str:
    email = f"{role.replace('_', '-')}@example.org"
    hub.cli("user", "create", "--email", email, "--role", role)
    made = hub.cli("key", "create", "--email", email, "--name", "fuzz", "--scopes", "*", "--json")
    return str(json.loads(made)["key"])


@pytest.mark.parametrize(
    ("role", "paths", "seconds"),
    [
        ("user", ("--exclude-path-regex", f"{STREAMS}|{SUICIDE}"), 20),
        ("super_admin", ("--exclude-path-regex", f"{STREAMS}|{SUICIDE}"), 40),
        ("admin", ("--include-path-regex", SUICIDE), 8),
    ],
)
def test_generated_requests_are_answered_as_described(
    hub: Hub, role: str, paths: tuple[str, ...], seconds: int, tmp_path: Path
) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{hub.url}/api/openapi.json",
        "--header", f"Authorization: Bearer {_key(hub, role)}", "--phases", "examples,coverage,fuzzing",
        *paths, "--checks", ",".join(CHECKS), "--seed", "20",
        "--max-examples", "8", "--max-time", str(seconds), "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    before = len(hub.lines)
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    answered = [entry for line in hub.lines[before:] if (entry := _request(line)) is not None]
    assert len(answered) > 30
    # 502 to 504 say that a provider, or the model of this machine, is not there; 500 is always a defect.
    assert [a for a in answered if a["status"] == 500 or a["status"] > 504] == []
    assert not any("unhandled error" in line for line in hub.lines[before:])


def _request(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    entry = json.loads(line)
    context: dict[str, Any] = entry["context"]
    return context if entry["message"] == "request" else None


def test_every_route_says_how_it_refuses_and_whom_it_lets_in(hub: Hub) -> None:
    described: Any = hub.get("/api/openapi.json").json()
    open_to_all = set()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            refusal = operation["responses"]["default"]["content"]
            assert set(refusal) == {
                "application/json" if path.startswith("/v1/") else "application/problem+json"
            }
            assert "422" not in operation["responses"]
            if "security" not in operation:
                open_to_all.add(f"{method.upper()} {path}")
    assert open_to_all == {
        "GET /health", "GET /health/live", "GET /health/database", "GET /api/health/db", "GET /api/health/ai",
        "GET /metrics", "GET /api/v1/setup", "POST /api/v1/setup", "POST /api/v1/session",
        "POST /api/v1/session/passkey", "POST /api/v1/session/passkey/options",
        "POST /api/v1/invitation", "POST /api/v1/invitation/accept", "POST /api/v1/email-verification",
        "POST /api/v1/password-reset", "POST /api/v1/password-reset/complete",
        "POST /api/v1/password-strength",
        "POST /api/v1/tokens", "POST /api/v1/tokens/refresh", "GET /.well-known/jwks.json",
        "GET /api/v1/shared/{token}",
    }  # fmt: skip
    names = [o["operationId"] for operations in described["paths"].values() for o in operations.values()]
    assert len(names) == len(set(names))
