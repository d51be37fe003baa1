"""What can go wrong with keys and sealed data."""

from aihub.kernel.errors import AihubError


class CryptoError(AihubError):
    code = "crypto.failed"
    title = "Encrypted data could not be handled"
    remedy = "Operators: 'aihub doctor' checks the keys; restore them from your backup if they were changed."


class WrongMasterKey(CryptoError):
    code = "crypto.wrong_master_key"
    title = "The master key is not the one this hub's data is encrypted with"
    remedy = (
        "Put the former key back in ENCRYPTION_KEY. To change it, set the new key in ENCRYPTION_KEY and the "
        "former one in AIHUB_PREVIOUS_ENCRYPTION_KEYS."
    )


class SealBroken(CryptoError):
    code = "crypto.seal_broken"
    title = "Encrypted data is damaged or does not belong here"
    remedy = "Restore it from a backup, or enter the value again."


class DataErased(CryptoError):
    code = "crypto.erased"
    status = 410
    title = "This data was erased for good"
    remedy = "Its key was destroyed at its owner's request; nothing can bring it back."
