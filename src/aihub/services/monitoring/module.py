"""Monitoring: health behind every documented address, and the metrics of this process."""

from aihub.kernel.auth import Permission
from aihub.kernel.module import Module
from aihub.services.monitoring import probes, routes

MODULE = Module(
    name="monitoring",
    routers=(routes.router,),
    public_paths=routes.PUBLIC,
    permissions=(
        Permission("monitoring:read", "See health in detail, metrics and response times"),
        Permission("system:read", "See the state of the machine and the database"),
    ),
    probes=(probes.DATABASE, probes.MIGRATIONS, probes.CACHE),
)
