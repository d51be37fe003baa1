"""Secrets never enter the audit log: values are masked by the name of their key."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "[masked]"
_SECRET = re.compile(
    r"pass(word|phrase|wd)?$|password|secret|token$|api_?key|authorization|cookie|credential|private_?key"
    r"|encryption_?key|session_?key|signature|otp$|pin$",
    re.IGNORECASE,
)
_TOKENISH = re.compile(r"\b(?:sk|ahk|ahs|shr|ghp|xox[abp]|Bearer)[-_ ][A-Za-z0-9._~+/=-]{9,}")
_LONGEST = 2_000


def clean(text: str, longest: int = _LONGEST) -> str:
    """Text that PostgreSQL and UTF-8 can hold, cut when it is too long."""
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return text if len(text) <= longest else text[:longest] + "…"


def is_secret(name: str) -> bool:
    """Whether values under this name are masked."""
    return _SECRET.search(name) is not None


def veiled(address: str) -> str:
    """An e-mail address that whoever knows it recognises, and nobody else reads.

    For entries about somebody who has no account: were they to get one and be erased, the entry stays.
    """
    name, at, host = address.rpartition("@")
    return f"{name[:1]}…{at}{host}"


def masked(value: object) -> Any:
    """A copy fit for JSON: secret-looking keys masked, long texts cut, unknown types as text."""
    if isinstance(value, Mapping):
        return {
            clean(str(key)): MASK if is_secret(str(key)) and item is not None else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [masked(item) for item in items]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return MASK
    return clean(_TOKENISH.sub(MASK, str(value)))
