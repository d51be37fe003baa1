"""Targets choose ways in, not code: which routers a process serves, and whether it runs jobs.

Every process shares one PostgreSQL and calls functions, so there is nothing between them to keep in step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aihub.kernel.errors import AihubError
from aihub.kernel.module import Module


@dataclass(frozen=True, slots=True)
class Target:
    """A service one can run and scale by itself."""

    name: str
    title: str
    modules: frozenset[str] | None
    worker: bool = False


ALL = Target("all", "Everything but background jobs", None)
TARGETS: tuple[Target, ...] = (
    ALL,
    Target("api-gateway", "Model calls: /v1, models and providers", frozenset({"gateway", "credits"})),
    Target("auth", "Sign-in, people, roles and keys", frozenset({"identity"})),
    Target(
        "core",
        "The web app, conversations, administration",
        frozenset({"agents", "console", "credits", "identity", "notifications", "privacy"}),
    ),
    Target("worker", "Background jobs", frozenset(), worker=True),
)
_ALIASES = {"gateway": "api-gateway", "identity": "auth", "auth-service": "auth", "core-service": "core"}


class UnknownTarget(AihubError):
    code = "targets.unknown"
    title = "There is no such target"
    remedy = "'aihub targets' lists them."


def resolve(names: Sequence[str]) -> tuple[Target, ...]:
    """The targets of these names. Raises UnknownTarget."""
    known = {t.name: t for t in TARGETS}
    chosen = []
    for name in names:
        target = known.get(_ALIASES.get(name, name))
        if target is None:
            raise UnknownTarget(f"'{name}' is not one of {', '.join(known)}.")
        chosen.append(target)
    return tuple(chosen)


def serves(targets: Sequence[Target], module: Module) -> bool:
    """Whether a process with these targets mounts the routers of this module. Health is everywhere."""
    if module.name in ("monitoring", "kernel"):
        return True
    return any(t.modules is None or module.name in t.modules for t in targets)
