"""Keys, sealed data and signatures."""

from aihub.kernel.crypto.errors import CryptoError, DataErased, SealBroken, WrongMasterKey
from aihub.kernel.crypto.service import Crypto

__all__ = ["Crypto", "CryptoError", "DataErased", "SealBroken", "WrongMasterKey"]
