"""A job as a frozen value; its context is an argument."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failed job is tried again: up to `attempts` in all, waiting `wait` seconds, doubled
    each time, at most `longest`."""

    attempts: int = 5
    wait: float = 2.0
    longest: float = 600.0


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a running job knows: the process' runtime, its own id and which attempt this is (from 1)."""

    runtime: "Runtime"
    job_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Job:
    """Work with a name. `run(context, **arguments)` must be safe to run again after a crash.

    `schedule` is a cron line (UTC) for a periodic job; whatever the number of workers, each tick runs
    once. `arguments` of a deferred job are JSON values.
    """

    name: str
    run: Callable[..., Awaitable[Any]]
    queue: str = "default"
    retry: Retry = field(default_factory=Retry)
    schedule: str | None = None
