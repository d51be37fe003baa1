"""How hard a password is to guess, by the patterns that guessers try (zxcvbn)."""

import asyncio
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aihub.kernel.errors import FieldError
from aihub.services.identity.common_passwords import COMMON_PASSWORDS
from aihub.services.identity.contracts import WeakPassword
from aihub.services.identity.domain import LONGEST_PASSWORD, SHORTEST_PASSWORD

GOOD_ENOUGH = 3
"""Of 0 to 4: 3 withstands 10^8 guesses, 4 10^10."""

_LOOKED_AT = 32  # characters; each more makes a hostile one slower to judge
_JUDGES = ThreadPoolExecutor(1, "passwords")
"""One at a time: what people type must not take the processor from everything else."""

_HUB_WORDS = ("smart ai hub", "smartaihub", "aihub", "smart-ai-hub")
_SPLIT = re.compile(r"[\W_]+")

_SAID = {
    "short": f"must have at least {SHORTEST_PASSWORD} characters",
    "long": f"must have at most {LONGEST_PASSWORD} characters",
    "personal": "is made of your name, your e-mail address or the name of the hub",
    "common": "is one that is tried first, or close to one",
    "repeats": "repeats the same characters or words",
    "sequence": "follows a row such as abc or 1234",
    "keyboard": "follows keys that lie side by side",
    "date": "is made of a date or a year",
    "guessable": "is too easy to guess",
}


@dataclass(frozen=True, slots=True)
class Strength:
    """`score` is 0 (guessed at once) to 4; `problem` is why it is refused, or None when it will do."""

    score: int
    problem: str | None

    @property
    def said(self) -> str | None:
        return None if self.problem is None else _SAID[self.problem]


async def strength(password: str, known: Iterable[str] = ()) -> Strength:
    """How strong this is for somebody of whom `known` (address, name) is known."""
    if len(password) > LONGEST_PASSWORD:
        return Strength(0, "long")
    if not password:
        return Strength(0, "short")
    return await asyncio.get_running_loop().run_in_executor(_JUDGES, _judge, password, _words(known))


async def checked_password(password: str, field: str = "password", *, known: Iterable[str] = ()) -> str:
    """The password itself. Raises WeakPassword."""
    judged = await strength(password, known)
    if judged.problem:
        raise WeakPassword(
            f"The password {judged.said}.", errors=[FieldError(field, judged.said or "", judged.problem)]
        )
    return password


def _judge(password: str, personal: set[str]) -> Strength:
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its word lists are large; commands that set none start without

    # Compared as people would type it: zxcvbn lowers the case itself.
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=sorted(personal | COMMON_PASSWORDS))
    score = int(found["score"])
    if len(password) < SHORTEST_PASSWORD:
        return Strength(min(score, GOOD_ENOUGH - 1), "short")
    if score >= GOOD_ENOUGH:
        return Strength(score, None)
    return Strength(score, _weakest(found["sequence"], personal))


def _weakest(sequence: list[dict[str, object]], personal: set[str]) -> str:
    """What to say of it: its longest part that guessers know."""
    parts = [part for part in sequence if part["pattern"] != "bruteforce"]
    if not parts:
        return "guessable"
    longest = max(parts, key=lambda part: len(str(part["token"])))
    if longest["pattern"] == "dictionary":
        if str(longest["matched_word"]).lower() in personal:
            return "personal"
        return "common" if longest["dictionary_name"] in ("passwords", "user_inputs") else "guessable"
    named = {
        "repeat": "repeats",
        "sequence": "sequence",
        "spatial": "keyboard",
        "date": "date",
        "regex": "date",
    }
    return named.get(str(longest["pattern"]), "guessable")


def _words(known: Iterable[str]) -> set[str]:
    """What is known of somebody, as words that a guesser would try: whole, and in parts."""
    words = set(_HUB_WORDS)
    for text in known:
        folded = text.strip().lower()[:_LOOKED_AT]
        words |= {part for part in (folded, *_SPLIT.split(folded)) if len(part) > 2}
    return words
