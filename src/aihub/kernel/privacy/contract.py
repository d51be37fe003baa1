"""The contract: how to count, hand over and forget what is held about one person."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from aihub.kernel.db import Work

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Subject:
    """The person in question. `pseudonym` takes the place of `id` in what must be kept; `runtime` is there
    for what does not lie in the database."""

    id: UUID
    email: str
    pseudonym: UUID
    runtime: "Runtime"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A JSON file of rows, read while it is written. Values are what `orjson` writes, dates and UUIDs too."""

    name: str
    rows: AsyncIterator[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Original:
    """A file as the person gave it. `name` is its path in the archive."""

    name: str
    content: bytes


Piece = Sheet | Original
Count = Callable[[Work, Subject], Awaitable[int]]
Export = Callable[[Work, Subject], AsyncIterator[Piece]]
Erase = Callable[[Work, Subject], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One kind of data about people and the tables it lies in.

    `erase` does one step of bounded size in the caller's transaction and says how many rows it dealt
    with; it is called until it says 0, after a crash too, so a step must be safe to repeat. Where the law
    or honest books ask for rows to stay, `kept` states the reason and `anonymous` what `erase` makes of
    them instead. `withheld` names columns that are not handed over, and why.
    """

    name: str
    title: str
    """What it is, in words for the person."""
    tables: tuple[str, ...]
    count: Count
    export: Export
    erase: Erase
    kept: str = ""
    anonymous: str = ""
    withheld: Mapping[str, str] | None = None
    last: bool = False
    """Others need it until they are done; it goes in the closing transaction."""

    def __post_init__(self) -> None:
        if bool(self.kept) != bool(self.anonymous):
            raise ValueError(f"{self.name}: what is kept needs a reason and what is made anonymous")
