"""Which network addresses the hub may call, and the one that is connected to.

Such an address is data that somebody typed or that another server said, and the hub sits inside
somebody's network: it must not become a way to reach the neighbours. The host is resolved here, every
address it has is checked, and the connection goes to the very address that was checked.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from pyreqwest.http import Url

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host; raises OSError when there are none."""

Address = IPv4Address | IPv6Address


class AddressUnfit(Exception):
    """The hub does not call this address; the message says why, as a sentence."""


class HostUnknown(Exception):
    """The name has no address; the message says so, as a sentence."""


_LARGEST_URL = 2048
_NEVER = tuple(
    ip_network(n)
    for n in (
        "169.254.169.254/32",  # metadata of most clouds
        "169.254.170.2/32",  # container credentials
        "168.63.129.16/32",  # Azure's host
        "100.100.100.200/32",  # Alibaba's metadata
        "192.0.0.192/32",  # Oracle's metadata
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
        "0.0.0.0/8",
        "::/128",
    )
)
_GLOBAL_UNICAST = ip_network("2000::/3")
_CARRIED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


@dataclass(frozen=True, slots=True)
class Place:
    """A checked base URL without a trailing slash, and the addresses its host stands for.

    `name` is None when the URL itself names the address.
    """

    url: str
    name: str | None
    addresses: tuple[str, ...]
    port: int


async def resolve(host: str, port: int) -> list[str]:
    """The system's answer for a host name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse(base_url: str) -> Url:
    """The URL as an HTTP client will read it. Raises AddressUnfit for what cannot be a base URL."""
    try:
        url = Url(base_url) if len(base_url) <= _LARGEST_URL else None
    except ValueError as exc:
        raise AddressUnfit("This is not a URL.") from exc
    if url is None:
        raise AddressUnfit(f"A URL has at most {_LARGEST_URL} characters.")
    if url.scheme not in ("http", "https"):
        raise AddressUnfit("Only http and https addresses can be called.")
    if url.username or url.password is not None:
        raise AddressUnfit("Put no user name or password into the URL.")
    if url.query_string is not None or url.fragment is not None:
        raise AddressUnfit("A base URL has no '?' and no '#'.")
    if not url.host_str or url.host_str.endswith("."):
        raise AddressUnfit("The URL names no usable host.")
    return url


async def check(base_url: str, *, allow_private: bool, resolver: Resolver = resolve) -> Place:
    """Resolve and judge a base URL.

    Raises AddressUnfit when any address of the host is one the hub must not call, and
    HostUnknown when the host has no address.
    """
    url = parse(base_url)
    port = url.port_or_known_default or 443
    host = str(url.host_str)
    if url.domain is None:
        name, found = None, [host.strip("[]")]
    else:
        name = host
        try:
            found = await resolver(host, port)
        except OSError as exc:
            raise HostUnknown(f"The name {host} has no address.") from exc
    if not found:
        raise HostUnknown(f"The name {host} has no address.")
    for text in found:
        problem = refusal(ip_address(text.partition("%")[0]), allow_private=allow_private)
        if problem:
            raise AddressUnfit(f"{host} is {problem}.")
    return Place(str(url).rstrip("/"), name, tuple(found), port)


def refusal(address: Address, *, allow_private: bool) -> str | None:
    """What speaks against this address, in a few words, or None."""
    real = _innermost(address)
    if any(real in network for network in _NEVER if network.version == real.version):
        return f"{address}, which nothing of use has"
    if real.is_multicast:
        return f"{address}, a multicast address"
    if not allow_private and (real != address or not real.is_global or not _allocated(real)):
        return f"{address}, a private or special address"
    return None


def _allocated(address: Address) -> bool:
    return address.version == 4 or address in _GLOBAL_UNICAST


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _CARRIED) or (int(address) >> 32 == 0 and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
