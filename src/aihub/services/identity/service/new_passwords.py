"""Passwords that somebody chose: judged and hashed before a transaction is opened.

    password = await new_password(body.password, known=(body.email, body.name))
    async with database.work(...) as work:
        await create_user(work, password=password, ...)

Judging and hashing take the processor for a tenth of a second, and many wait for each other; no lock and
no pooled connection waits with them. What stores a password takes a `NewPassword` and no text, so that it
cannot be done the other way round.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from aihub.kernel.passwords import hash_password
from aihub.services.identity.service.strength import checked_password


@dataclass(frozen=True, slots=True)
class NewPassword:
    """The argon2id hash of a password that is hard enough to guess."""

    hashed: str = field(repr=False)


async def new_password(text: str, name: str = "password", *, known: Iterable[str] = ()) -> NewPassword:
    """Judge and hash what somebody chose. `name` is the field of their request, `known` what guessers may
    know of them. Raises WeakPassword."""
    return NewPassword(await hash_password(await checked_password(text, name, known=known)))
