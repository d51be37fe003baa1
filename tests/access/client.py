"""Many small requests over one connection."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    status: int
    code: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Keeps its connection to the hub and opens another when the hub has closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection: http.client.HTTPConnection | None = None

    def __call__(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        sent = dict(headers or {})
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        for again in (True, False):
            try:
                return self._once(method, path, data, sent)
            except TimeoutError as exc:
                self.close()
                raise AssertionError(f"{method} {path} is not answered") from exc
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                if not again:
                    raise
        raise AssertionError

    def _once(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Reply:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self._connection.request(method, path, data, headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.headers.get("Connection", "").lower() == "close":
            self.close()
        return Reply(response.status, _code(body), body)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _code(body: bytes) -> str:
    """The permanent code of a problem, in either dialect."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    error = told.get("error")
    return str(told.get("code") or (error.get("code") if isinstance(error, dict) else "") or "")
