"""What matters to the safety of the hub, counted and kept for whoever watches over it."""

from aihub.kernel.security_events.service import SecurityLog, Severity, caller, event, forget

__all__ = ["SecurityLog", "Severity", "caller", "event", "forget"]
