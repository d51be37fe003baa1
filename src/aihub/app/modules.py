"""Every module of the hub, by hand and in the order in which their parts start."""

from collections.abc import Sequence

from aihub.agents.module import MODULE as AGENTS
from aihub.app.console import MODULE as CONSOLE
from aihub.app.core import MODULE as KERNEL
from aihub.kernel.module import Module
from aihub.services.credits.module import MODULE as CREDITS
from aihub.services.gateway.module import MODULE as GATEWAY
from aihub.services.identity.module import MODULE as IDENTITY
from aihub.services.monitoring.module import MODULE as MONITORING
from aihub.services.notifications.module import MODULE as NOTIFICATIONS
from aihub.services.privacy.module import MODULE as PRIVACY

MODULES: Sequence[Module] = (
    KERNEL,
    MONITORING,
    IDENTITY,
    CREDITS,
    GATEWAY,
    NOTIFICATIONS,
    PRIVACY,
    AGENTS,
    CONSOLE,
)
