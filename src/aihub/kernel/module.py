"""What a module contributes, as one frozen value. No logic and no side effects on import."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from aihub.kernel.auth import Permission, Role
from aihub.kernel.health import Probe
from aihub.kernel.http.problems import Shape
from aihub.kernel.jobs.job import Job
from aihub.kernel.settings import Settings, SettingsGroup

if TYPE_CHECKING:
    from aihub.kernel.privacy.contract import PersonalData
    from aihub.kernel.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Part:
    """A long-lived piece (pool, client, child process). `start` builds it; it may have `close()`.

    `runtime.duties` tells a part what this process is for.
    """

    provides: type[Any]
    start: Callable[["Runtime"], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Module:
    """The whole contribution of a module, visible in one place."""

    name: str
    routers: Sequence[APIRouter] = ()
    public_paths: frozenset[str] = frozenset()
    """Paths, or `METHOD path`, that anybody may call without signing in."""
    settings: Sequence[type[SettingsGroup]] = ()
    permissions: Sequence[Permission] = ()
    roles: Sequence[Role] = ()
    jobs: Sequence[Job] = ()
    parts: Sequence[Part] = ()
    probes: Sequence[Probe] = ()
    targets: frozenset[str] = frozenset()
    error_shapes: Mapping[str, Shape] = field(default_factory=dict)
    """How errors look on paths with this prefix, where an API dialect demands its own form."""
    body_limits: Mapping[str, Callable[[Settings], int]] = field(default_factory=dict)
    """`METHOD path` of a route that streams what it receives, and the largest application/octet-stream body
    it takes, in bytes. Bodies of other kinds keep the limits of every route."""
    notable: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Audited actions that are security events too, with kind and severity. `user.update:roles` is a
    `user.update` that changed `roles`."""
    personal: Sequence["PersonalData"] = ()
    """What the module's tables hold about people: how to hand it over and how to forget it."""
