"""The kernel's own contribution, as a module like the others."""

from aihub.kernel.cache import Cache
from aihub.kernel.config import KernelSettings
from aihub.kernel.crypto import Crypto
from aihub.kernel.db.listener import Listener
from aihub.kernel.jobs.maintenance import KERNEL_JOBS
from aihub.kernel.limits import Limiter
from aihub.kernel.module import Module, Part
from aihub.kernel.privacy.own import KERNEL_PERSONAL
from aihub.kernel.redis import RedisLink

MODULE = Module(
    name="kernel",
    settings=(KernelSettings,),
    jobs=KERNEL_JOBS,
    parts=(
        Part(RedisLink, RedisLink.start),
        Part(Listener, Listener.start),
        Part(Cache, Cache.start),
        Part(Crypto, Crypto.start),
        Part(Limiter, Limiter.start),
    ),
    personal=KERNEL_PERSONAL,
)
