"""One running hub with a scripted provider for every test of this folder."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.http.wire import Wire
from tests.support.hub import Hub, running_hub
from tests.support.upstream import Upstream

# These tests ask far more than people do; what limits do is tested in test_edge_limits.py.
_RATES = ",".join(f"{name}=100000/1s" for name in ("api.general", "ai.query"))
_BURSTS = ",".join(f"{name}=100000/1s burst 100000" for name in ("edge.api", "edge.auth"))

UNLIMITED = f"{_RATES},{_BURSTS}"


@dataclass(frozen=True)
class Front:
    """The hub, and keys of an administrator and of an ordinary person."""

    hub: Hub
    upstream: Upstream
    admin: str
    user: str
    user_email: str = "bob@example.org"

    @property
    def wire(self) -> Wire:
        return Wire(self.hub.port)

    def wait(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        """Until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not become true"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    with (
        Upstream() as upstream,
        running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo", AIHUB_LIMITS=UNLIMITED) as hub,
    ):
        admin = hub.create_admin()
        hub.cli(
            "user", "create", "--email", "bob@example.org", "--password-stdin", stdin="bob likes long ones"
        )
        made = hub.cli(
            "key", "create", "--email", "bob@example.org", "--name", "b", "--scopes", "*", "--json"
        )
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
        yield Front(hub, upstream, admin, json.loads(made)["key"])
