"""Facts about the request or job at hand that logs and the audit trail add by themselves."""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
client_ip: ContextVar[str | None] = ContextVar("client_ip", default=None)
user_agent: ContextVar[str | None] = ContextVar("user_agent", default=None)
actor_id: ContextVar[str | None] = ContextVar("actor_id", default=None)
