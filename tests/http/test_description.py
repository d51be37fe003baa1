"""The OpenAPI description is true: generated requests get what it says, and never a 500."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.access.table import FILE, parse
from tests.http.conftest import UNLIMITED
from tests.support.hub import Hub, clean_environment, running_hub
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.xdist_group("description"), pytest.mark.slow]

CHECKS = (
    "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "missing_required_header",
)  # fmt: skip
# Streams end when their run ends; metrics are text of another standard.
STREAMS = "/stream$|^/metrics$"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
SOME_ID = "01a1ff47-5d21-7d11-9dd1-48d2c91b8769"
PASSWORD = "quiet people like turquoise umbrellas"
# With these the caller sooner or later shuts itself out, and all that follows would be a 401.
ENDS = r"/users/\{user_id\}$|/keys/\{key_id\}$|/api/v1/session$|/api/v1/sessions$|/api/v1/tokens$"
ROLES = ("user", "manager", "admin", "super_admin")
EXAMPLES = int(os.environ.get("AIHUB_TEST_EXAMPLES", "2"))
"""How many requests are made up for each operation and caller. More find more: 200 for a night."""
LONGER = int(os.environ.get("AIHUB_TEST_SECONDS", "12"))
"""Seconds for the phase that walks along the bounds of every value."""


@dataclass(frozen=True)
class Fuzzed:
    """A hub to throw things at, and the headers of everybody, by role and credentials."""

    hub: Hub
    headers: dict[tuple[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with (
        Upstream() as upstream,
        running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo", AIHUB_LIMITS=UNLIMITED) as hub,
    ):
        root = {"email": "root@example.org", "password": PASSWORD}
        hub.post("/api/v1/setup", {"token": hub.setup_token(), **root})
        session = _session(hub, root["email"])
        provider: Any = hub.request(
            "POST", "/api/v1/providers",
            {"name": "Scripted", "kind": "openai", "base_url": upstream.url, "allow_private": True},
            headers=session,
        ).json()  # fmt: skip
        model = {"name": "echo", "upstream_name": "echo", "provider_id": provider["id"]}
        free = {"input_price": "0", "output_price": "0"}
        assert hub.request("POST", "/api/v1/models", model | free, headers=session).status == 201
        headers: dict[tuple[str, str], dict[str, str]] = {("anonymous", "nothing"): {}}
        for role in ROLES:
            email = f"{role.replace('_', '-')}@example.org"
            body = {"email": email, "password": PASSWORD, "roles": [role]}
            assert hub.request("POST", "/api/v1/users", body, headers=session).status == 201
            headers[role, "session"] = mine = _session(hub, email)
            made: Any = hub.request(
                "POST", "/api/v1/keys", {"name": "fuzz", "scopes": ["*"]}, headers=mine
            ).json()
            headers[role, "key"] = {"Authorization": f"Bearer {made['key']}"}
        yield Fuzzed(hub, headers)


@pytest.fixture(scope="module")
def hub(fuzzed: Fuzzed) -> Hub:
    return fuzzed.hub


def _session(hub: Hub, email: str) -> dict[str, str]:
    answer = hub.post("/api/v1/session", {"email": email, "password": PASSWORD})
    assert answer.status == 200, answer.body
    told: Any = answer.json()
    cookie = str(answer.headers["set-cookie"]).partition(";")[0]
    return {"Cookie": cookie, "X-CSRF-Token": str(told["csrf_token"])}


def _throw(fuzzed: Fuzzed, role: str, credentials: str, folder: Path, *how: str) -> None:
    """Let made-up requests run against the hub; each answer must be one that is described, and no 500."""
    hub = fuzzed.hub
    headers = [f"--header={name}: {value}" for name, value in fuzzed.headers[role, credentials].items()]
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{hub.url}/api/openapi.json",
        *headers, "--checks", ",".join(CHECKS), "--seed", "20", "--generation-deterministic",
        "--suppress-health-check", "all", "--warnings", "off",
        "--continue-on-failure", "--no-color", *how,
    ]  # fmt: skip
    before = len(hub.lines)
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-1000:]
    answered = [entry for line in hub.lines[before:] if (entry := _request(line)) is not None]
    assert answered
    # 502 to 504 say that a provider, or the model of this machine, is not there; 500 is always a defect.
    assert [a for a in answered if a["status"] == 500 or a["status"] > 504] == []
    assert not any("unhandled error" in line for line in hub.lines[before:])


@pytest.mark.parametrize(
    ("role", "credentials"),
    [("anonymous", "nothing"), *((role, by) for role in ROLES for by in ("session", "key"))],
)
def test_whoever_asks_for_whatever_is_answered_as_described(
    fuzzed: Fuzzed, role: str, credentials: str, tmp_path: Path
) -> None:
    ends = ENDS if credentials != "nothing" else "^$"
    # A key takes the same ways as a session up to the question who calls: half as many will do.
    examples = max(1, EXAMPLES // 2) if credentials == "key" else EXAMPLES
    _throw(
        fuzzed, role, credentials, tmp_path, "--phases", "fuzzing", "--max-examples", str(examples),
        "--no-shrink", "--exclude-path-regex", f"{STREAMS}|{ends}",
    )  # fmt: skip


@pytest.mark.parametrize("role", ["user", "super_admin"])
def test_values_along_their_bounds_are_answered_as_described(
    fuzzed: Fuzzed, role: str, tmp_path: Path
) -> None:
    # As far as one comes in that time: a slow machine tries fewer.
    _throw(
        fuzzed, role, "key", tmp_path, "--phases", "examples,coverage", "--max-time", str(LONGER),
        "--exclude-path-regex", f"{STREAMS}|{ENDS}",
    )  # fmt: skip


def test_what_ends_a_session_is_answered_as_described(fuzzed: Fuzzed, tmp_path: Path) -> None:
    """Keys only: those of other people, and that of a person who is gone."""
    _throw(
        fuzzed, "admin", "key", tmp_path, "--phases", "fuzzing", "--max-examples", "8", "--no-shrink",
        "--include-path-regex", r"/users/\{user_id\}$|/keys/\{key_id\}$",
    )  # fmt: skip


def _request(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    entry = json.loads(line)
    context: dict[str, Any] = entry["context"]
    return context if entry["message"] == "request" else None


def test_a_method_that_is_not_described_is_refused_with_those_that_are(fuzzed: Fuzzed) -> None:
    hub, key = fuzzed.hub, fuzzed.headers["super_admin", "key"]
    described: Any = hub.get("/api/openapi.json").json()
    known = {
        path: {method.upper() for method in operations} & METHODS
        for path, operations in described["paths"].items()
    }
    # Paths that are those of a thing, too, were it called so: `/users/bulk` is `/users/{user_id}` to the
    # methods that only the latter has.
    shapes = {path: re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)) for path in known if "{" in path}
    for path, methods in known.items():
        others = [known[other] for other, shape in shapes.items() if other != path and shape.fullmatch(path)]
        possible = methods.union(*others)
        address = re.sub(r"\{[^}]*\}", SOME_ID, path)
        for method in ("OPTIONS", *sorted(METHODS - possible)[:1]):
            answer = hub.request(method, address, headers=key)
            assert answer.status == 405, (method, path, answer.status)
            allowed = {word.strip() for word in answer.headers["allow"].split(",")} - {"HEAD", "OPTIONS"}
            assert methods <= allowed <= possible, (method, path, allowed)


def test_every_route_says_how_it_refuses_and_whom_it_lets_in(hub: Hub) -> None:
    described: Any = hub.get("/api/openapi.json").json()
    open_to_all, all_ways = set(), set()
    for path, operations in described["paths"].items():
        dialect = path.startswith("/v1/")
        for method, operation in operations.items():
            answers = operation["responses"]
            refusals = {status: answer for status, answer in answers.items() if status >= "400"}
            assert {"400", "429", "503"} <= set(refusals), (method, path)
            assert "default" not in refusals, "a status that is not listed could not be told from one that is"
            assert ("422" in refusals) <= (not dialect), (method, path)
            for status, refusal in refusals.items():
                if "/health" in path and status == "503":
                    continue  # what is wrong, for monitors
                name = refusal["$ref"].rpartition("/")[2]
                assert name == f"{'OpenAIError' if dialect else 'Problem'}{status}", (method, path)
                kinds = set(described["components"]["responses"][name]["content"])
                assert kinds == {"application/json" if dialect else "application/problem+json"}
            if "security" in operation:
                assert {"401", "403"} <= set(refusals), (method, path)
            else:
                open_to_all.add(f"{method.upper()} {path}")
            all_ways.add(f"{method.upper()} {path}")
    public = {row.route for row in parse(FILE.read_text("utf-8")) if row.permission == "–"}
    assert open_to_all == public & all_ways
    names = [o["operationId"] for operations in described["paths"].values() for o in operations.values()]
    assert len(names) == len(set(names))
