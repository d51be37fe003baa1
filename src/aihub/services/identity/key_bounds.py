"""What may bound a key, as pure rules: networks, names of models, numbers."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from aihub.kernel.errors import FieldError, InvalidRequest
from aihub.services.identity.contracts.keys import KeyWish, Network

MOST_NETWORKS = 50
MOST_MODELS = 100
LARGEST_RATE = 1_000_000_000
LARGEST_PARALLEL = 10_000
LONGEST_OVERLAP_DAYS = 7

_LONGEST_MODEL = 128
_NUMBERS = {
    "requests_per_minute": LARGEST_RATE,
    "tokens_per_minute": LARGEST_RATE,
    "parallel_requests": LARGEST_PARALLEL,
}


def columns_of(wish: KeyWish) -> dict[str, Any]:
    """The columns of what the wish names, in their one spelling. Raises InvalidRequest."""
    out: dict[str, Any] = {}
    if "models" in wish:
        out["models"] = _models(wish["models"])
    if "networks" in wish:
        out["networks"] = _networks(wish["networks"])
    for name, most in _NUMBERS.items():
        if name in wish:
            value = wish.get(name)
            if value is not None and not (isinstance(value, int) and 1 <= value <= most):
                raise _wrong(name, f"must be a whole number from 1 to {most}")
            out[name] = value
    return out


def network(text: str) -> Network:
    """A network or a single address. Raises ValueError that says what is wrong."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"'{text}' is not a network such as 203.0.113.0/24 or 2001:db8::/32") from None
    if "/" in text and str(ipaddress.ip_address(text.strip().partition("/")[0])) != str(
        found.network_address
    ):
        raise ValueError(f"'{text}' names an address inside of a network; did you mean {found}?")
    if found.version == 6 and found.prefixlen >= 96 and (plain := found.network_address.ipv4_mapped):
        return ipaddress.ip_network(f"{plain}/{found.prefixlen - 96}")
    return found


def within(address: str | None, networks: Iterable[Network]) -> bool:
    """Whether the caller's address lies in one of these networks. What is no address lies in none."""
    try:
        caller = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(caller, ipaddress.IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped
    return any(caller.version == each.version and caller in each for each in networks)


def _networks(texts: Sequence[str]) -> list[str]:
    if len(texts) > MOST_NETWORKS:
        raise _wrong("networks", f"has at most {MOST_NETWORKS} entries")
    try:
        return list(dict.fromkeys(str(network(text)) for text in texts))
    except ValueError as exc:
        raise _wrong("networks", str(exc)) from exc


def _models(names: Sequence[str]) -> list[str]:
    if len(names) > MOST_MODELS:
        raise _wrong("models", f"has at most {MOST_MODELS} entries")
    for name in names:
        if not 1 <= len(name) <= _LONGEST_MODEL or any(c.isspace() or not c.isprintable() for c in name):
            raise _wrong("models", f"'{name[:_LONGEST_MODEL]}' cannot be the name of a model")
    return list(dict.fromkeys(names))


def _wrong(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(field, message)])
