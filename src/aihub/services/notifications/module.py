"""Notifications: letters by e-mail, kept in an outbox until they are delivered."""

from aihub.kernel.auth import Permission
from aihub.kernel.module import Module, Part
from aihub.kernel.runtime import Runtime
from aihub.services.identity.contracts import Post
from aihub.services.notifications import jobs, routes
from aihub.services.notifications.personal import PERSONAL
from aihub.services.notifications.service import PostOffice
from aihub.services.notifications.settings import MailSettings


async def _post_office(runtime: Runtime) -> PostOffice:
    return PostOffice.of(runtime, jobs.DELIVER)


async def _post(runtime: Runtime) -> Post:
    return runtime.get(PostOffice)


MODULE = Module(
    name="notifications",
    routers=(routes.router,),
    settings=(MailSettings,),
    permissions=(
        Permission("mail:read", "See which letters were sent and which wait"),
        Permission("mail:open", "Read letters that were not sent, with the links in them"),
    ),
    jobs=(jobs.DELIVER, jobs.SWEEP),
    parts=(Part(PostOffice, _post_office), Part(Post, _post)),
    personal=PERSONAL,
)
