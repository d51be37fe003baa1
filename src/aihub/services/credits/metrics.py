"""Counters of credits."""

from prometheus_client import Counter

from aihub.kernel.telemetry.metrics import REGISTRY

SHORTFALL = Counter(
    "credits_shortfall",
    "Credits that calls cost beyond what their balance covered.",
    registry=REGISTRY,
)
REFUSED = Counter(
    "credits_refused_holds",
    "Calls refused for want of credits: the balance was too small, or stayed reserved by other calls.",
    ("why",),
    registry=REGISTRY,
)
EXPIRED = Counter(
    "credits_expired_holds",
    "Reservations given back because nobody billed or released them in time.",
    registry=REGISTRY,
)
