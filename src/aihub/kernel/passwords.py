"""Passwords: argon2id, off the event loop, a bounded number at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

# One hash costs 46 MiB for its duration; two at a time keep a flood of sign-ins from filling memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1, type=Type.ID)
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


@cache
def _nobody() -> str:
    return _hasher.hash("a password that no account has")


async def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its parameters and a fresh salt."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify_password(hashed: str | None, password: str) -> bool:
    """Whether the password belongs to the hash.

    None (an unknown account) takes as long as a wrong password and is False, so that the time of the
    answer does not tell which accounts exist.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, hashed, password)


def _verify(hashed: str | None, password: str) -> bool:
    try:
        _hasher.verify(hashed or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def needs_rehash(hashed: str) -> bool:
    """Whether the hash was made with other parameters than today's; rehash at the next sign-in."""
    try:
        return _hasher.check_needs_rehash(hashed)
    except InvalidHashError:
        return True
