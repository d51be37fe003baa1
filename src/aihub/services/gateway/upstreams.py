"""Which adapter serves a provider, and the connections that are kept to it."""

from aihub.services.gateway.adapters import addresses
from aihub.services.gateway.adapters.addresses import Resolver
from aihub.services.gateway.adapters.anthropic import AnthropicUpstream
from aihub.services.gateway.adapters.embedded.errors import ModelLoading, ModelUnavailable
from aihub.services.gateway.adapters.openai import OpenAIUpstream
from aihub.services.gateway.adapters.upstream import Upstream
from aihub.services.gateway.adapters.wire import Timeouts, Wire
from aihub.services.gateway.contracts import ModelInfo, ProviderInfo
from aihub.services.gateway.embedded import Embedded

_MOST_WIRES = 256


class Upstreams:
    """One kept set of connections per address and policy; keys are given anew for each call."""

    def __init__(
        self, embedded: Embedded, timeouts: Timeouts, resolver: Resolver = addresses.resolve
    ) -> None:
        self.embedded = embedded
        self._timeouts = timeouts
        self._resolver = resolver
        self._wires: dict[tuple[str, bool, bool], Wire] = {}

    async def of(self, model: ModelInfo) -> Upstream:
        """The adapter for the model's provider.

        Raises ModelLoading or ModelUnavailable for a model of this machine that cannot answer now.
        """
        if model.provider.kind != "embedded":
            return self.at(model.provider)
        endpoint = await self.embedded.endpoint(model.kind)
        if endpoint.model_name != model.upstream_name:
            if model.kind == "chat" and self.embedded.wanted() == model.upstream_name:
                raise ModelLoading("It was chosen a moment ago.")
            raise ModelUnavailable(
                f"This machine runs {endpoint.model_name} now.",
                remedy=f"Choose the model for {endpoint.model_name}, or ask an administrator to run this one "
                "under Models and providers.",
            )
        return OpenAIUpstream(self._wire(endpoint.base_url, True, True), endpoint.api_key)

    def at(self, provider: ProviderInfo) -> Upstream:
        """The adapter for a provider with an address."""
        if provider.base_url is None:
            raise ValueError("the embedded provider has no address of its own")
        wire = self._wire(provider.base_url, provider.allow_private, False)
        if provider.kind == "anthropic":
            return AnthropicUpstream(wire, provider.api_key)
        return OpenAIUpstream(wire, provider.api_key)

    def _wire(self, base_url: str, allow_private: bool, trusted: bool) -> Wire:
        at = (base_url, allow_private, trusted)
        if at not in self._wires:
            while len(self._wires) >= _MOST_WIRES:  # the oldest: an address that was changed since
                self._wires.pop(next(iter(self._wires)))
            self._wires[at] = Wire(
                base_url,
                self._timeouts,
                allow_private=allow_private,
                trusted=trusted,
                resolver=self._resolver,
            )
        return self._wires[at]

    async def close(self) -> None:
        wires, self._wires = list(self._wires.values()), {}
        for wire in wires:
            await wire.close()
