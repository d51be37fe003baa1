"""What the doctor asks of providers: does each answer with the key it has? Lists models; costs nothing."""

import asyncio
from collections.abc import Sequence

from aihub.kernel.checks import Check, Finding, Patient, bad, ok, watch
from aihub.kernel.config import KernelSettings
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.errors import AihubError
from aihub.kernel.secrets import SecretFileMissing, load_secrets
from aihub.services.gateway import service
from aihub.services.gateway.adapters.wire import Timeouts
from aihub.services.gateway.contracts import ProviderInfo
from aihub.services.gateway.embedded import Embedded
from aihub.services.gateway.settings import GatewaySettings
from aihub.services.gateway.upstreams import Upstreams

_SECONDS = 10.0


async def providers_answer(patient: Patient) -> Sequence[Finding]:
    """Each enabled provider, asked for its list of models."""
    if patient.database is None:
        return []
    settings = patient.settings[GatewaySettings]
    kernel = patient.settings[KernelSettings]
    try:
        crypto = Crypto(await asyncio.to_thread(load_secrets, kernel, make=False))
    except SecretFileMissing as exc:
        return [watch(f"Providers' keys cannot be opened: {exc}", exc.hint)]
    async with patient.database.work(system("doctor: providers")) as work:
        await crypto.open_ring(work, record=False)
        known = await service.list_providers(work, settings, after=None, limit=1000)
        wanted = [
            await service.provider_to_test(work, crypto, settings, p.id)
            for p in known
            if p.enabled and p.kind != "embedded"
        ]
    embedded = Embedded(kernel.home, switched_on=settings.embedded, models=None)
    upstreams = Upstreams(embedded, Timeouts(5, _SECONDS, _SECONDS, _SECONDS))
    try:
        findings = list(await asyncio.gather(*(_ask(upstreams, provider) for provider in wanted)))
    finally:
        await upstreams.close()
    if not findings:
        return [
            watch(
                "Only models of this machine are there; no provider is connected.",
                "Add a provider: aihub model add --provider openai --name … --api-key-stdin",
            )
        ]
    return findings


async def _ask(upstreams: Upstreams, provider: ProviderInfo) -> Finding:
    try:
        models = await upstreams.at(provider).models(_SECONDS)
    except AihubError as exc:
        return bad(f"{provider.name}: {exc.detail or exc.title}", exc.hint)
    return ok(f"{provider.name} answers and offers {len(models)} models.")


CHECKS: tuple[Check, ...] = (Check("P001", "providers", "Model providers", providers_answer),)
