"""What the doctor looks at: numbered checks that end in findings with a level, a cause and a fix."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aihub.kernel.db import Database
from aihub.kernel.settings import Settings


class Level(StrEnum):
    OK = "ok"
    WATCH = "watch"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation. `fix` is empty only when the level is ok."""

    level: Level
    cause: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What checks may look at. `database` is None when it could not be reached; that has its own check,
    and `trouble` says why. `nothing_yet`: the embedded server's data has yet to be made."""

    settings: Settings
    dsn: str | None
    database: Database | None
    embedded: bool
    trouble: str = ""
    nothing_yet: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """`run` returns findings; none means there was nothing to look at. `group` is what `--only` takes."""

    id: str
    group: str
    title: str
    run: Callable[[Patient], Awaitable[Sequence[Finding]]]


def ok(cause: str) -> Finding:
    return Finding(Level.OK, cause)


def watch(cause: str, fix: str) -> Finding:
    return Finding(Level.WATCH, cause, fix)


def bad(cause: str, fix: str) -> Finding:
    return Finding(Level.BAD, cause, fix)
