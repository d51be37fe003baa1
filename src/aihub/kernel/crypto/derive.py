"""Keys from keys: HKDF for random secrets, scrypt for passphrases, a fingerprint to tell keys apart."""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aihub.kernel.secrets import MasterKey

SALT_BYTES = 32


def purpose_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose; keys of different purposes tell nothing about each other."""
    return HKDF(SHA256(), length=32, salt=None, info=b"aihub/" + purpose.encode()).derive(secret)


def wrapping_key(master: MasterKey, salt: bytes) -> bytes:
    """The key that wraps data keys under one version of the master key. A passphrase takes about 0.1 s."""
    if master.passphrase:
        return hashlib.scrypt(master.material, salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)
    return HKDF(SHA256(), length=32, salt=salt, info=b"aihub/master").derive(master.material)


def fingerprint(key: bytes) -> bytes:
    """Tells whether a key is the expected one without telling anything else about it."""
    return hmac.digest(key, b"aihub/fingerprint", "sha256")[:16]
