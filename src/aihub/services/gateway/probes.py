"""The gateway's answer to "how are you"."""

from typing import TYPE_CHECKING

from aihub.kernel.health import Probe, Reading, State
from aihub.services.gateway.embedded import Embedded
from aihub.services.gateway.gateway import Gateway

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime


async def _read(runtime: "Runtime") -> Reading:
    gateway = runtime.get(Gateway)
    providers = [p for p in (await gateway.catalogue.snapshot()).providers.values() if p.enabled]
    states: dict[str, str] = {}
    for provider in providers:
        if provider.kind == "embedded":
            embedded = runtime.get(Embedded)
            if embedded.switched_on:
                states[provider.name] = await embedded.readiness("chat")
        else:
            states[provider.name] = gateway.outcomes.of(provider)
    if not states:
        return Reading(State.NOT_CONFIGURED, "no provider is switched on")
    failed = sorted(name for name, state in states.items() if state == "failed")
    facts: dict[str, object] = dict(states)
    if len(failed) == len(states):
        return Reading(State.FAILED, "no provider answers", facts)
    if failed:
        return Reading(State.DEGRADED, f"failing: {', '.join(failed)}", facts)
    return Reading(State.OK, "", facts)


AI = Probe("ai", _read, keep=10.0)
