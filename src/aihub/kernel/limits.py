"""Named limits on how often something may happen, counted per key (an address, an account, a key's id).

    allowance = await limiter.take("ai.query", str(actor.user_id))

Limits with a burst are token buckets: `limit` flow in per `per` seconds and up to `burst` may be taken
at once. The others count exactly what happened in the last `per` seconds. Counts live in the process
without Redis and in Redis with it; a sick Redis answers 503 and never lets anyone through uncounted.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from aihub.kernel.errors import AihubError, TooManyRequests, Unavailable
from aihub.kernel.limit_counters import Counters, MemoryCounters, RedisCounters, Take
from aihub.kernel.limit_seats import MemorySeats, RedisSeats
from aihub.kernel.redis import RedisLink
from aihub.kernel.settings import SettingsError

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `limit` in any `per` seconds; with `burst`, a flow of `limit` per `per` seconds with up to
    `burst` at once. A policy that counts failures admits as long as too few have failed."""

    name: str
    limit: int
    per: float
    burst: int | None = None
    counts: Literal["requests", "failures", "tokens"] = "requests"
    about: str = field(default="", compare=False)
    """What is counted, for the reference."""


_POLICIES = (
    Policy("edge.api", 10, 1, burst=20, about="API requests of an IP address without valid credentials"),
    Policy("edge.auth", 5, 1, burst=10, about="attempts of an IP address to sign in or to set up the hub"),
    Policy(
        "auth.login", 5, 900, counts="failures", about="failed sign-ins to an account, and from a network"
    ),
    Policy(
        "mail.network",
        10,
        900,
        about="letters with a link that people without a session ask for, per network",
    ),
    Policy("mail.address", 4, 3600, about="letters with a link to one e-mail address"),
    Policy("api.general", 100, 900, about="the same as edge.api, over a quarter of an hour"),
    Policy("ai.query", 10, 60, about="one-shot questions of a user"),
    Policy("key.requests", 60, 60, burst=60, about="calls with an API key that has a limit of its own"),
    Policy(
        "key.tokens",
        100_000,
        60,
        burst=100_000,
        counts="tokens",
        about="tokens of calls with an API key that has a limit of its own",
    ),
)
LIMITS: Mapping[str, Policy] = {policy.name: policy for policy in _POLICIES}


class LimitsUnavailable(Unavailable):
    code = "limits.unavailable"
    title = "Requests cannot be counted right now, so none are let through"
    remedy = "Try again in a few seconds. Operators: check Redis."


class TooExpensive(AihubError):
    code = "limits.too_expensive"
    status = 413
    title = "This single request is larger than the whole limit"
    remedy = "Send a smaller request, or ask your administrator to raise the limit."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit. `reset_seconds` is when all of it is free again."""

    policy: Policy
    limit: int
    remaining: int
    reset_seconds: float

    def headers(self) -> dict[str, str]:
        """The IETF RateLimit fields."""
        name = self.policy.name.replace(".", "-")
        return {
            "RateLimit-Policy": f'"{name}";q={self.limit};w={max(1, round(self.policy.per))}',
            "RateLimit": f'"{name}";r={self.remaining};t={_ceil(self.reset_seconds)}',
        }


class Limiter:
    """Admits or refuses. One per process."""

    def __init__(
        self,
        counters: Counters,
        policies: Mapping[str, Policy] = LIMITS,
        seats: MemorySeats | RedisSeats | None = None,
    ) -> None:
        self._counters = counters
        self._policies = dict(policies)
        self._seats = seats or MemorySeats()

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Limiter":
        """The named limits with AIHUB_LIMITS applied. Raises SettingsError."""
        policies = overridden(LIMITS, runtime.kernel.limits)
        client = runtime.get(RedisLink).client
        if client is None:
            return cls(MemoryCounters(), policies)
        return cls(RedisCounters(client), policies, RedisSeats(client))

    async def close(self) -> None:
        await self._seats.close()

    def policy(self, name: str) -> Policy:
        """The policy in effect under this name."""
        return self._policies[name]

    async def take(self, policy: str, key: str, cost: int = 1, *, limit: int | None = None) -> Allowance:
        """Count `cost` against the key. `limit` replaces the policy's own number, as for a key with limits
        of its own.

        Raises TooManyRequests with Retry-After and RateLimit headers, TooExpensive when `cost` can never
        fit, and LimitsUnavailable.
        """
        chosen = self._chosen(policy, limit)
        most = chosen.burst or chosen.limit
        if cost > most:
            raise TooExpensive(f"It counts as {cost}; at most {most} fit into '{policy}'.")
        return self._admit(chosen, await self._count(chosen, key, cost))

    async def give_back(self, policy: str, key: str, cost: int, *, limit: int | None = None) -> None:
        """Return what was taken but not used, such as reserved tokens. Only for limits with a burst."""
        chosen = self._chosen(policy, limit)
        if chosen.burst is None:
            raise ValueError(f"{policy} has no burst: what happened cannot be taken back")
        await self._count(chosen, key, -cost)

    async def check(self, policy: str, key: str) -> Allowance:
        """Look without counting. Raises TooManyRequests when nothing is left."""
        chosen = self._chosen(policy, None)
        return self._admit(chosen, await self._count(chosen, key, 0))

    async def fail(self, policy: str, key: str) -> None:
        """Count one failure, whether or not the limit is already reached."""
        chosen = self._chosen(policy, None)
        try:
            await self._counters.record(self._key(chosen, key), chosen.limit, chosen.per)
        except self._counters.failures as exc:
            raise LimitsUnavailable(headers={"Retry-After": "2"}) from exc

    async def forget(self, policy: str, key: str) -> None:
        """Set the key's count back to nothing, as after a successful sign-in."""
        try:
            await self._counters.forget(self._key(self._chosen(policy, None), key))
        except self._counters.failures as exc:
            raise LimitsUnavailable(headers={"Retry-After": "2"}) from exc

    async def enter(self, name: str, key: str, limit: int) -> Callable[[], Awaitable[None]]:
        """Take one of `limit` seats and return how to give it back; who dies gives it back too, later.

        Raises TooManyRequests when all are taken, and LimitsUnavailable.
        """
        seat = f"aihub:seats:{name}:{key}"
        try:
            token = await self._seats.enter(seat, limit)
        except self._seats.failures as exc:
            raise LimitsUnavailable(headers={"Retry-After": "2"}) from exc
        if token is None:
            shown = name.replace(".", "-")
            raise TooManyRequests(
                f"The limit '{name}' allows {limit} requests at a time. Try again when one has ended.",
                headers={
                    "Retry-After": "1",
                    "RateLimit-Policy": f'"{shown}";q={limit};qu="concurrent-requests"',
                    "RateLimit": f'"{shown}";r=0;t=1',
                },
            )
        return partial(self._seats.leave, seat, token)

    def _chosen(self, name: str, limit: int | None) -> Policy:
        policy = self._policies[name]
        if limit is None:
            return policy
        return replace(policy, limit=limit, burst=None if policy.burst is None else limit)

    @staticmethod
    def _key(policy: Policy, key: str) -> str:
        return f"aihub:limit:{policy.name}:{key}"

    async def _count(self, policy: Policy, key: str, cost: int) -> Take:
        name = self._key(policy, key)
        try:
            if policy.burst is None:
                return await self._counters.window(name, policy.limit, policy.per, cost)
            return await self._counters.bucket(name, policy.burst, policy.limit / policy.per, cost)
        except self._counters.failures as exc:
            raise LimitsUnavailable(headers={"Retry-After": "2"}) from exc

    @staticmethod
    def _admit(policy: Policy, take: Take) -> Allowance:
        allowance = Allowance(policy, policy.burst or policy.limit, take.remaining, take.reset_seconds)
        if not take.admitted:
            wait = _ceil(take.retry_seconds)
            raise TooManyRequests(
                f"The limit '{policy.name}' allows {policy.limit} {policy.counts} per {policy.per:g} s. "
                f"Try again in {wait} s.",
                headers={"Retry-After": str(wait), **allowance.headers()},
            )
        return allowance


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPELLING = re.compile(
    r"(?P<limit>\d+)\s*(?P<failures>failures)?\s*/\s*(?P<per>\d+(?:\.\d+)?)?\s*(?P<unit>[smhd])"
    r"(?:\s+burst\s+(?P<burst>\d+))?"
)


def parse(name: str, text: str) -> Policy:
    """`10/1s burst 20`, `100/15m`, `5 failures/15m`. Raises SettingsError."""
    match = _SPELLING.fullmatch(text.strip().lower())
    if match is None:
        raise SettingsError(f"AIHUB_LIMITS: '{name}={text}' is not a limit; write it like 10/1s burst 20")
    limit, per = int(match["limit"]), float(match["per"] or 1) * _UNITS[match["unit"]]
    burst = int(match["burst"]) if match["burst"] else None
    if limit < 1 or per <= 0 or burst == 0:
        raise SettingsError(f"AIHUB_LIMITS: '{name}={text}' would let nothing through")
    return Policy(name, limit, per, burst, "failures" if match["failures"] else "requests")


def overridden(policies: Mapping[str, Policy], overrides: tuple[str, ...]) -> dict[str, Policy]:
    """The policies with the `name=limit` items of AIHUB_LIMITS applied. Raises SettingsError."""
    out = dict(policies)
    for item in overrides:
        name, found, text = item.partition("=")
        name = name.strip()
        if not found or name not in out:
            known = ", ".join(sorted(out))
            raise SettingsError(f"AIHUB_LIMITS: there is no limit named '{name}'; known are {known}")
        policy = parse(name, text)
        out[name] = replace(policy, counts=out[name].counts, about=out[name].about)
    return out


def _ceil(seconds: float) -> int:
    return max(1, -int(-seconds // 1))
