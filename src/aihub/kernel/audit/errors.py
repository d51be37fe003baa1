"""What can go wrong with the audit log."""

from aihub.kernel.errors import AihubError


class AuditKeyMissing(AihubError):
    code = "audit.key_missing"
    title = "The audit log cannot be written before the hub's keys are open"
    remedy = "Start the kernel's parts (Crypto) in this process first."
