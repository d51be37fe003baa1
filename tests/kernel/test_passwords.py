"""Passwords and tokens."""

import asyncio
import time

import pytest
from argon2 import PasswordHasher
from tests.support.waiting import quickest

from aihub.kernel.passwords import hash_password, needs_rehash, verify_password
from aihub.kernel.tokens import new_token, token_hash


async def test_a_password_is_known_again() -> None:
    hashed = await hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$")
    assert await verify_password(hashed, "correct horse battery")
    assert not await verify_password(hashed, "correct horse batterY")
    assert not await verify_password(hashed, "")
    assert hashed != await hash_password("correct horse battery")
    assert not needs_rehash(hashed)


@pytest.mark.parametrize("text", ["pässwörd 密码 🗝", "x" * 10_000, " spaces "])
async def test_any_text_is_a_password(text: str) -> None:
    hashed = await hash_password(text)
    assert await verify_password(hashed, text)
    assert not await verify_password(hashed, text.strip() + "!")


async def test_a_hash_of_other_parameters_verifies_and_asks_to_be_renewed() -> None:
    weaker = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("old password")
    assert needs_rehash(weaker)
    assert await verify_password(weaker, "old password")
    assert not await verify_password(weaker, "another")
    assert not await verify_password("not a hash", "x")
    assert needs_rehash("not a hash")


async def test_an_unknown_account_takes_as_long_as_a_wrong_password() -> None:
    hashed = await hash_password("correct horse battery")
    await verify_password(None, "warm up")

    async def seconds(known: str | None) -> float:
        started = time.perf_counter()
        assert not await verify_password(known, "wrong")
        return time.perf_counter() - started

    # In turns, so that a busy moment of the machine meets both; the least is what it takes.
    turns = [(await seconds(hashed), await seconds(None)) for _ in range(8)]
    wrong, unknown = (min(times) for times in zip(*turns, strict=True))
    assert wrong / 2 < unknown < wrong * 2


async def _share_of_the_longest_wait() -> float:
    """How much of the time in which eight passwords are hashed one other task had to wait at a stretch."""
    longest = 0.0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        while not done.is_set():
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - started)

    watching = asyncio.create_task(watch())
    started = time.perf_counter()
    await asyncio.gather(*(hash_password("x") for _ in range(8)))
    took = time.perf_counter() - started
    done.set()
    await watching
    return longest / took


async def test_hashing_leaves_the_event_loop_free() -> None:
    assert await quickest(_share_of_the_longest_wait, 0.5) < 0.5


def test_tokens_are_random_and_stored_as_their_hash() -> None:
    tokens = {new_token("ahk_") for _ in range(100)}
    assert len(tokens) == 100
    assert all(t.startswith("ahk_") and len(t) == 4 + 43 for t in tokens)
    token = tokens.pop()
    assert len(token_hash(token)) == 32
    assert token_hash(token) == token_hash(token)
    assert token_hash(token) != token_hash(token + "x")
    assert token_hash("\ud800") == token_hash("\ud800"), "malformed text is a wrong token, not a crash"
