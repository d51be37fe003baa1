"""Passwords are judged by how hard they are to guess, not by their characters."""

import asyncio
import time

import pytest

from aihub.services.identity.contracts import WeakPassword
from aihub.services.identity.service import strength
from aihub.services.identity.service.strength import _JUDGES, checked_password

KNOWN = ("ada.lovelace@example.org", "Ada Lovelace")


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("", "short"),
        ("kQ9#mv!2", "short"),
        ("1234567890", "common"),
        ("password123", "common"),
        ("PASSWORD123", "common"),
        ("P@ssw0rd123!", "common"),
        ("Welcome2026", "common"),
        ("motdepasse1", "common"),
        ("aaaaaaaaaaaaaa", "repeats"),
        ("abababababab", "repeats"),
        ("abcdefghijklm", "sequence"),
        ("19.11.1987 ", "date"),
        ("ghjkl;'ghjkl;", "keyboard"),
        ("ada.lovelace@example.org", "personal"),
        ("ADA.LOVELACE", "personal"),
        ("ecalevol.ada", "personal"),
        ("Lovelace2026", "personal"),
        ("SmartAIHub1", "personal"),
        ("x" * 1025, "long"),
    ],
)
async def test_what_is_guessed_early_is_refused_with_a_reason(password: str, problem: str) -> None:
    judged = await strength(password, KNOWN)
    assert judged.problem == problem, judged
    assert judged.said
    with pytest.raises(WeakPassword) as refused:
        await checked_password(password, "new_password", known=KNOWN)
    assert [(e.field, e.code) for e in refused.value.errors] == [("new_password", problem)]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "Tr0ub4dor&3x", "пароль из слов", "0J9wG_27dmmqzL", "🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵",
        "gloomy tractor violin", "camion violet parapluie",
    ],
)  # fmt: skip
async def test_others_will_do_whatever_characters_they_are_made_of(password: str) -> None:
    judged = await strength(password, KNOWN)
    assert judged.problem is None
    assert judged.score >= 3
    assert await checked_password(password, known=KNOWN) == password


async def test_every_common_password_is_refused() -> None:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    commonest = FREQUENCY_LISTS["passwords"][:10_000]
    through = [word for word in commonest[::25] if (await strength(word)).problem is None]
    assert through == []


@pytest.mark.parametrize("password", ["4@8({[</369&#!1/|0$5+7%2" * 40, "aA1!" * 250, "ab1" * 333])
async def test_no_password_keeps_us_busy(password: str) -> None:
    await strength("warm up the word lists")

    async def processor_time() -> float:
        """Seconds of processor that the one thread which judges has used: other load does not count."""
        return await asyncio.get_running_loop().run_in_executor(_JUDGES, time.thread_time)

    spent = []
    for _ in range(3):
        began = await processor_time()
        await strength(password)
        spent.append(await processor_time() - began)
    assert 0 < min(spent) < 1
