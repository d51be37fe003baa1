"""What can go wrong with the audit log."""

from aihub.kernel.errors import AihubError, Conflict


class AuditKeyMissing(AihubError):
    code = "audit.key_missing"
    title = "The audit log cannot be written before the hub's keys are open"
    remedy = "Start the kernel's parts (Crypto) in this process first."


class CheckpointFileUnusable(AihubError):
    code = "audit.checkpoint_file"
    title = "The file with the audit log's checkpoints cannot be used"
    remedy = "Give the hub's account the file named in the detail, and space on that disk."


class NothingToAccept(Conflict):
    code = "audit.nothing_to_accept"
    title = "The audit log agrees with its checkpoints; there is no restore to accept"
    remedy = "Nothing needs to be done. 'aihub audit verify' shows what else may be wrong."


class LogSetBack(Conflict):
    code = "audit.set_back"
    title = "The audit log contradicts what was signed about it"
    remedy = (
        "'aihub audit verify' names the entries. "
        "After a restore that you meant: 'aihub audit accept-restore'."
    )
