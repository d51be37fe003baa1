"""A provider that says what a test wants it to say, also what no honest one would."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import Key, KeySet, RSAKey

CLIENT_ID, SECRET = "smart-ai-hub", "a secret of thirty-two characters"


class ScriptedProvider:
    """`metadata` and `published` are what it publishes; `token` makes its answer to a code."""

    def __init__(self) -> None:
        self.key: Key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, auto_kid=False)
        self.published: Any = None
        self.says: dict[str, Any] = {}
        self.token: Callable[[dict[str, str]], Mapping[str, Any]] = lambda form: {}
        self.userinfo: Mapping[str, Any] = {}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.status: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ScriptedProvider":
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "authorization_response_iss_parameter_supported": True,
            **self.says,
        }

    def signed(self, claims: Mapping[str, Any], key: Key | None = None, **header: str) -> str:
        """A token with these claims, signed by this key or its own."""
        used = key or self.key
        head = {"alg": "RS256", "kid": str(used.kid), **header}
        return jwt.encode(head, dict(claims), used, algorithms=[head["alg"]])

    def _answer(self, path: str, form: dict[str, str]) -> object:
        if path == "/.well-known/openid-configuration":
            return self.metadata
        if path == "/keys":
            keys = KeySet([self.key]).as_dict(private=False)
            return keys if self.published is None else self.published
        if path == "/token":
            self.forms.append(form)
            return self.token(form)
        return self.userinfo

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say({})

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                self._say({name: values[0] for name, values in parse_qs(text).items()})

            def _say(self, form: dict[str, str]) -> None:
                provider.asked.append(self.path)
                body = json.dumps(provider._answer(self.path, form)).encode()
                self.send_response(provider.status.get(self.path, 200))
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: tests look at `asked`."""

        return Answering
