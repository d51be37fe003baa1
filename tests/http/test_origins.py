"""Browsers of other origins: only those that are named may call, with their person's credentials."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.hub import Hub, running_hub

from aihub.kernel.config import KernelSettings
from aihub.kernel.settings import SettingsError, load

FRIEND = "https://app.example.org"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub(AIHUB_EMBEDDED="false", ALLOWED_ORIGINS=f"{FRIEND}, https://other.example.org") as hub:
        yield hub


def asked(hub: Hub, origin: str) -> dict[str, str]:
    """The CORS headers of a preflight for a changing request."""
    request = urllib.request.Request(f"{hub.url}/api/v1/setup", method="OPTIONS")
    request.add_header("Origin", origin)
    request.add_header("Access-Control-Request-Method", "POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as refused:
        headers = refused.headers
    return {k.lower(): v for k, v in headers.items() if k.lower().startswith("access-control-")}


def test_a_named_origin_may_call(hub: Hub) -> None:
    headers = asked(hub, FRIEND)
    assert headers["access-control-allow-origin"] == FRIEND
    assert headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("origin", ["https://evil.example.org", "https://app.example.org.evil.org", "null"])
def test_no_other_origin_may_call(hub: Hub, origin: str) -> None:
    assert "access-control-allow-origin" not in asked(hub, origin)


@pytest.mark.parametrize(
    "value", ["*", "https://a.example.org,*", "app.example.org", "https://a.example.org/x"]
)
def test_everybody_is_no_origin(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match="ALLOWED_ORIGINS"):
        load((KernelSettings,), environ={"AIHUB_HOME": str(tmp_path), "ALLOWED_ORIGINS": value})


def test_debug_is_off_and_no_origin_allowed_unless_set(tmp_path: Path) -> None:
    kernel = load((KernelSettings,), environ={"AIHUB_HOME": str(tmp_path)})[KernelSettings]
    assert kernel.debug is False
    assert kernel.allowed_origins == ()
