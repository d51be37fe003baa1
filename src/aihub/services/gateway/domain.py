"""The gateway's pure rules: what a call may cost at most, what it did cost, and what a token is worth.

Money is integer micro-credits (1 credit = USD 0.01 = 1,000,000 micro-credits); prices of tokens are
micro-credits per million tokens. Every division rounds up, so that no call is cheaper than its price.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

import orjson

MICRO = 1_000_000
PER_TOKENS = 1_000_000
MOST_CHOICES = 16
DEEPEST = 100
"""Levels of a caller's JSON. What is measured, priced and passed on is walked level by level."""

_MARKUP = Decimal("1.20")
_CREDITS_PER_USD = 100
_TEMPLATE_TOKENS = 128
_TOKENS_PER_MESSAGE = 8
_BYTES_PER_TOKEN = 4
_WITH_MEDIA = frozenset({"image_url", "input_audio", "file", "image", "video_url"})


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-credits: per million tokens in, per million tokens out, and per request."""

    input: int = 0
    output: int = 0
    request: int = 0

    @property
    def free(self) -> bool:
        return self.input == self.output == self.request == 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens a call took; `estimated` when the provider did not say."""

    input_tokens: int
    output_tokens: int
    estimated: bool = False


def from_usd(input_per_million: str, output_per_million: str = "0") -> Price:
    """A provider's list price in US dollars, with the markup, as a price in credits."""

    def micro(dollars: str) -> int:
        return int((Decimal(dollars) * _MARKUP * _CREDITS_PER_USD * MICRO).to_integral_value(ROUND_CEILING))

    return Price(micro(input_per_million), micro(output_per_million))


DEFAULT_CHAT_PRICE = from_usd("3", "15")
DEFAULT_EMBEDDING_PRICE = from_usd("3")


def cost(price: Price, usage: Usage) -> int:
    """What a call with this usage costs, in micro-credits."""
    tokens = usage.input_tokens * price.input + usage.output_tokens * price.output
    return price.request + -(-tokens // PER_TOKENS)


def prompt_bound(body: Mapping[str, Any], context_length: int) -> int:
    """At least as many tokens as the prompt can have: one per byte, plus what a chat template adds.

    No tokenizer makes more tokens than bytes. Pictures, sound and files count as a full context, since
    their tokens have nothing to do with their bytes.
    """
    messages = body.get("messages")
    if messages is None:
        return len(orjson.dumps(body.get("input"))) + _TEMPLATE_TOKENS
    if any(_has_media(message) for message in messages):
        return context_length
    rest = {k: v for k, v in body.items() if k in ("tools", "functions", "response_format") and v is not None}
    size = len(orjson.dumps(messages)) + (len(orjson.dumps(rest)) if rest else 0)
    return min(size + _TOKENS_PER_MESSAGE * len(messages) + _TEMPLATE_TOKENS, context_length)


def _has_media(message: Any) -> bool:
    content = message.get("content") if isinstance(message, Mapping) else None
    return isinstance(content, list) and any(
        isinstance(part, Mapping) and part.get("type") in _WITH_MEDIA for part in content
    )


def output_limit(asked: int | None, default: int, max_output: int | None, context_length: int) -> int:
    """Tokens one answer may have: what the caller asked for, else the default, capped by the model."""
    limits = [asked if asked is not None else default, context_length]
    if max_output is not None:
        limits.append(max_output)
    return max(1, min(limits))


def most(price: Price, prompt_tokens: int, output_tokens: int, choices: int = 1) -> int:
    """The most a call can cost, in micro-credits: what is held before it starts."""
    return cost(price, Usage(prompt_tokens, output_tokens * choices))


def estimate_tokens(size: int) -> int:
    """Tokens of a text of `size` bytes, when the provider did not count: a quarter, rounded up."""
    return -(-size // _BYTES_PER_TOKEN)


def name_problem(name: str) -> str | None:
    """Why `name` cannot be the name of a model, or None."""
    if not 1 <= len(name) <= 128:
        return "a name has 1 to 128 characters"
    if any(c.isspace() or not c.isprintable() for c in name):
        return "a name has no blanks and no control characters"
    return None


def deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value has lists and objects on more than this many levels."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return True
