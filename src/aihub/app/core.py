"""The kernel's own contribution, as a module like the others."""

from aihub.kernel.audit.jobs import AUDIT_JOBS, AUDIT_PROBE
from aihub.kernel.audit.trail import AuditTrail
from aihub.kernel.audit_settings import AuditSettings
from aihub.kernel.cache import Cache
from aihub.kernel.config import KernelSettings
from aihub.kernel.crypto import Crypto
from aihub.kernel.db.listener import Listener
from aihub.kernel.jobs.maintenance import KERNEL_JOBS
from aihub.kernel.limits import Limiter
from aihub.kernel.module import Module, Part
from aihub.kernel.privacy.own import KERNEL_PERSONAL
from aihub.kernel.redis import RedisLink
from aihub.kernel.security_events import SecurityLog
from aihub.kernel.security_events.jobs import SECURITY_EVENT_JOBS

MODULE = Module(
    name="kernel",
    settings=(KernelSettings, AuditSettings),
    jobs=(*KERNEL_JOBS, *AUDIT_JOBS, *SECURITY_EVENT_JOBS),
    parts=(
        Part(RedisLink, RedisLink.start),
        Part(Listener, Listener.start),
        Part(Cache, Cache.start),
        Part(Crypto, Crypto.start),
        Part(Limiter, Limiter.start),
        Part(SecurityLog, SecurityLog.start),
        Part(AuditTrail, AuditTrail.start),
    ),
    probes=(AUDIT_PROBE,),
    personal=KERNEL_PERSONAL,
)
