"""Rules of identity that need nothing but their arguments."""

import base64
import ipaddress
import re
import secrets
import string
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta

from aihub.kernel.auth import Role
from aihub.kernel.tokens import new_token

SUPER_ADMIN = "super_admin"
SIGNED_UP = "user"
"""The role of a new account unless others are given."""

ALL_SCOPES = "*"
DEFAULT_SCOPES = ("gateway:use", "models:read", "credits:read")

SESSION_IDLE = timedelta(hours=24)
SESSION_LONGEST = timedelta(days=7)
KNOWN_LIFE = timedelta(days=180)
"""How long a browser is known after it signed in."""
SETUP_LINK_LIFE = timedelta(hours=24)

ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=7)
FAMILY_LONGEST = timedelta(days=30)
"""A program signs in anew after this, however often it refreshed."""
CLOCK_SKEW = timedelta(seconds=10)
"""How far the clocks of two processes may be apart."""

PROOF_LIFE = timedelta(minutes=10)
CHALLENGE_LIFE = timedelta(minutes=5)

TOTP_PERIOD = 30
TOTP_WINDOW = 1
"""How many periods a clock may be off, to either side."""
RECOVERY_CODES = 10

INVITATION_LIFE = timedelta(days=7)
RESET_LINK_LIFE = timedelta(hours=1)
VERIFICATION_LINK_LIFE = timedelta(hours=24)

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
LONGEST_EMAIL = 254

_KEYS = ("keys:read", "keys:manage")
BUILT_IN_ROLES = (
    Role(SUPER_ADMIN, "Everything", ("*",)),
    # Letters that wait hold links that let their recipients in, whoever those are.
    Role("admin", "Everything but giving roles", ("*", "-roles:assign", "-roles:manage", "-mail:open")),
    Role(
        "manager",
        "Sees people, credits, models and monitoring; gives credits",
        (
            "chat:use", "gateway:use", "models:read", "providers:read", *_KEYS, "users:read", "roles:read",
            "credits:read", "credits:adjust", "monitoring:read", "jobs:read",
        ),
    ),
    Role(
        SIGNED_UP,
        "Chats, calls the API, makes keys",
        ("chat:use", "gateway:use", "models:read", *_KEYS, "credits:read"),
    ),
    Role("guest", "Chats", ("chat:use", "models:read")),
)  # fmt: skip

_EMAIL = re.compile(
    r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\".](?:[^\s@<>()\[\]\\,;:\"]*[^\s@<>()\[\]\\,;:\".])?"
)
_KEY = re.compile(r"ahk_[a-z0-9]{8}_[A-Za-z0-9_-]{32,128}", re.ASCII)


def granted(role: Role, declared: Iterable[str]) -> frozenset[str]:
    """The permissions a built-in role has of those declared. `*` is all; `-name` leaves one out."""
    declared = frozenset(declared)
    named = declared if "*" in role.permissions else declared.intersection(role.permissions)
    return named - {name[1:] for name in role.permissions if name.startswith("-")}


def normal_email(text: str) -> str:
    """The one spelling of an address. Raises ValueError when it is none."""
    email = unicodedata.normalize("NFC", text).strip().lower()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email) or not email.isprintable():
        raise ValueError("is not an e-mail address")
    return email


def network_of(address: str | None) -> str:
    """The neighbourhood that counts as one caller: /24 of IPv4, /64 of IPv6."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 64}", strict=False))


def new_key() -> tuple[str, str]:
    """A fresh API key and the part of it that may be shown: `ahk_` and eight characters."""
    shown = "ahk_" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
    return new_token(f"{shown}_"), shown


def is_key(text: str) -> bool:
    """Whether this could be one of our keys at all."""
    return _KEY.fullmatch(text) is not None


def is_fresh(proved_at: datetime | None, now: datetime) -> bool:
    """Whether a proof of that time still counts."""
    return proved_at is not None and proved_at > now - PROOF_LIFE


_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"(?:Firefox|FxiOS)/"),
    ("Chrome", r"(?:Chrome|CriOS|HeadlessChrome)/"),
    ("Safari", r"Version/\S+ (?:Mobile/\S+ )?Safari/"),
)
_SYSTEMS = (
    ("iPadOS", r"iPad"),
    ("iOS", r"iPhone|iPod"),
    ("Android", r"Android"),
    ("ChromeOS", r"CrOS"),
    ("Windows", r"Windows"),
    ("macOS", r"Macintosh"),
    ("Linux", r"Linux|X11"),
)


def browser_in_words(agent: str | None) -> tuple[str | None, str | None]:
    """The browser and the system that a User-Agent header names, where it names known ones."""

    def first(known: tuple[tuple[str, str], ...]) -> str | None:
        return next((name for name, mark in known if re.search(mark, agent or "")), None)

    return first(_BROWSERS), first(_SYSTEMS)


def totp_step(now: datetime) -> int:
    """The number of the period that codes of this moment belong to (RFC 6238)."""
    return int(now.timestamp()) // TOTP_PERIOD


def new_recovery_code() -> str:
    """80 random bits, as people can copy them: `abcd-efgh-ijkl-mnop`."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def recovery_code(text: str) -> str | None:
    """The one spelling of a typed recovery code, or None when it is none."""
    letters = re.sub(r"[\s-]", "", text).lower()
    return letters if re.fullmatch(r"[a-z2-7]{16}", letters) else None


def totp_code(text: str) -> str | None:
    """The six digits of a typed code, or None when it is none."""
    digits = re.sub(r"\s", "", text)
    return digits if re.fullmatch(r"[0-9]{6}", digits) else None


def session_end(last_seen: datetime, absolute: datetime) -> datetime:
    """When a session ends if it is not used again."""
    return min(last_seen + SESSION_IDLE, absolute)


def is_local(host: str) -> bool:
    """Whether browsers treat this host as the same machine, where cookies need no TLS."""
    host = host.strip("[]").lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
