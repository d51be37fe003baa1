"""Rules of privacy rights that need nothing but their arguments."""

from datetime import timedelta

GRACE = timedelta(days=7)
"""How long an account can be kept after all once its deletion was asked for."""

EXPORT_LIFE = timedelta(hours=24)
"""How long the file of an export lies there, and its link works."""

LETTER_LIFE = timedelta(hours=24)
"""How long we try to deliver the last letter, which holds the address of somebody who is gone."""

SETTLING = 3.0
"""Seconds between shutting an account and forgetting it: requests that were under way come to their end, and
what they did is there to be erased. A courtesy to them; nothing about the person is stored later either."""

KEPT_FAILED = timedelta(days=7)
"""How long an export that failed stays on the list."""


def size_in_words(size: int) -> str:
    """`3.4 MB`: for people, in powers of ten."""
    amount = float(size)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")
