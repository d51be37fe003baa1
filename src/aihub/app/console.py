"""The administration's view of the installation itself: settings, jobs, the audit trail."""

from aihub.app import audit_routes, console_routes, security_event_routes
from aihub.kernel.auth import Permission
from aihub.kernel.module import Module

MODULE = Module(
    name="console",
    routers=(console_routes.router, audit_routes.router, security_event_routes.router),
    permissions=(
        Permission("settings:read", "See the effective settings, secrets masked"),
        Permission("jobs:read", "See background jobs"),
        Permission("jobs:manage", "Run failed jobs again"),
        Permission("audit:read", "Read the audit trail"),
        Permission("security_events:read", "See security events"),
        Permission("audit:export", "Export the audit trail"),
    ),
)
