"""The address check, with the gateway's own errors."""

from aihub.kernel import addresses
from aihub.kernel.addresses import AddressUnfit, HostUnknown, Place, Resolver, refusal, resolve
from aihub.services.gateway.contracts import AddressRefused, ProviderUnreachable

__all__ = ["Place", "Resolver", "check", "refusal", "resolve"]


async def check(base_url: str, *, allow_private: bool, resolver: Resolver = resolve) -> Place:
    """Resolve and judge a base URL.

    Raises AddressRefused when any address of the host is one the hub must not call, and
    ProviderUnreachable when the host has no address.
    """
    try:
        return await addresses.check(base_url, allow_private=allow_private, resolver=resolver)
    except AddressUnfit as exc:
        raise AddressRefused(str(exc)) from exc
    except HostUnknown as exc:
        raise ProviderUnreachable(str(exc)) from exc
