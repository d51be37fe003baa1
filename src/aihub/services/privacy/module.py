"""Privacy: what the hub holds about somebody, handed over or erased."""

from aihub.kernel.module import Module, Part
from aihub.kernel.runtime import Runtime
from aihub.services.privacy import jobs, routes
from aihub.services.privacy.personal import PERSONAL
from aihub.services.privacy.service import Registry


async def _registry(runtime: Runtime) -> Registry:
    return Registry.of(runtime)


MODULE = Module(
    name="privacy",
    routers=(routes.router,),
    public_paths=routes.PUBLIC,
    jobs=(jobs.EXPORT, jobs.ERASE, jobs.TIDY),
    parts=(Part(Registry, _registry),),
    personal=PERSONAL,
)
