"""Money as pure rules. Inside, whole micro-credits; outside, decimal strings of credits."""

import re
from decimal import Decimal

MICRO = 1_000_000
"""Micro-credits in one credit. One credit is worth one US cent."""

LARGEST = 1_000_000_000 * MICRO
"""The largest amount of one movement, in micro-credits."""

LARGEST_BALANCE = 1_000 * LARGEST
"""No account may hold more, so that no sum leaves a 64-bit integer."""

_AMOUNT = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)


def parse_credits(text: object, *, negative: bool = False) -> int:
    """Micro-credits of a decimal string (or a whole number) of credits.

    Raises ValueError for anything that is not exact: floating-point numbers, NaN, exponents, more than
    six digits after the point; and for negative amounts unless they are asked for.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError('write the amount as text with at most six digits after the point, such as "12.5"')
    micro = int(Decimal(text) * MICRO)
    if micro < 0 and not negative:
        raise ValueError("the amount must not be negative")
    if abs(micro) > LARGEST:
        raise ValueError(f"the amount must be at most {LARGEST // MICRO} credits")
    return micro


def credits_text(micro: int) -> str:
    """The decimal string of an amount, always with six digits: `99.998400`."""
    whole, rest = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{rest:06d}"
