"""HTTP to a sign-in provider: checked addresses, short time-outs, small answers, JSON only.

Redirects are never followed (a redirect would lead past the address check) and proxies of the environment
are not used. Calls are few, so each has a connection of its own.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, PyreqwestError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from aihub.kernel import addresses
from aihub.kernel.addresses import AddressUnfit, HostUnknown, Place, Resolver
from aihub.services.identity.contracts.federation import (
    FederationAddress,
    FederationUnfit,
    FederationUnreachable,
)

CONNECT = timedelta(seconds=5)
TOTAL = 15.0
"""Seconds for one call to a provider, from the name look-up to the end of the answer."""

LARGEST_ANSWER = 1024 * 1024
_LONGEST_URL = 2048


class Answered:
    """The status of an answer and the JSON object in it, which is empty when there was none."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.body = body

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class OidcWire:
    """Calls to the endpoints of one provider."""

    def __init__(self, *, allow_private: bool, resolver: Resolver = addresses.resolve) -> None:
        self._allow_private = allow_private
        self._resolver = resolver

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answered:
        """Raises FederationAddress, FederationUnreachable or FederationUnfit."""
        return await self._call("GET", url, headers or {}, None)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answered:
        """The answer to a form. Raises as `get` does."""
        return await self._call("POST", url, headers, form)

    async def place(self, url: str) -> Place:
        """Where the host of this URL is. Raises FederationAddress or FederationUnreachable."""
        try:
            parts = urlsplit(url)
            if len(url) > _LONGEST_URL or parts.fragment or parts.username or parts.password:
                raise FederationAddress(f"{url[:200]} is not an address that can be called.")
            origin = f"{parts.scheme}://{parts.netloc}"
        except ValueError as exc:
            raise FederationAddress(f"{url[:200]} is not a URL.") from exc
        if parts.scheme != "https" and not self._allow_private:
            raise FederationAddress("Only https addresses are called unless private addresses are allowed.")
        try:
            return await addresses.check(origin, allow_private=self._allow_private, resolver=self._resolver)
        except AddressUnfit as exc:
            raise FederationAddress(str(exc)) from exc
        except HostUnknown as exc:
            raise FederationUnreachable(str(exc)) from exc

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answered:
        host = urlsplit(url).netloc
        try:
            async with asyncio.timeout(TOTAL):
                place = await self.place(url)
                for address in place.addresses:
                    try:
                        return await self._at(place, address, method, url, headers, form)
                    except (ConnectError, ConnectTimeoutError):
                        continue  # nothing was sent: the next address of the same host may answer
        except TimeoutError as exc:
            raise FederationUnreachable(f"{host} did not answer within {TOTAL:g} s.") from exc
        except PyreqwestError as exc:
            raise FederationUnreachable(f"The connection to {host} broke.") from exc
        raise FederationUnreachable(f"There is no connection to {host}.")

    async def _at(
        self,
        place: Place,
        address: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
    ) -> Answered:
        client = _client(place, address)
        try:
            async with _request(client, method, url, headers, form) as response:
                return Answered(response.status, _object(await _limited(response)))
        finally:
            await client.close()


def _client(place: Place, address: str) -> Client:
    builder = ClientBuilder().no_proxy().follow_redirects(False).user_agent("aihub").connect_timeout(CONNECT)
    if place.name is not None:
        builder = builder.resolve(place.name, address, place.port)
    return builder.build()


def _request(
    client: Client, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
) -> StreamRequest:
    builder = client.request(method, url).headers({"accept": "application/json", **headers})
    if form is not None:
        builder = builder.form(dict(form))
    return builder.build_streamed()


async def _limited(response: Response) -> bytes:
    data = bytearray()
    while (piece := await response.body_reader.read_chunk()) is not None:
        data += bytes(piece)
        if len(data) > LARGEST_ANSWER:
            raise FederationUnfit(f"The answer is longer than {LARGEST_ANSWER} bytes.")
    return bytes(data)


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
