"""What is known about models people are likely to add: lengths, and list prices in US dollars per million
tokens. Providers change them; a model's own row is what counts, and administrators edit that."""

from dataclasses import dataclass

from aihub.services.gateway.contracts import ModelKind
from aihub.services.gateway.domain import DEFAULT_CHAT_PRICE, DEFAULT_EMBEDDING_PRICE, Price, from_usd

DEFAULT_CHAT_CONTEXT = 128_000
DEFAULT_EMBEDDING_CONTEXT = 8_192


@dataclass(frozen=True, slots=True)
class Known:
    """Lengths in tokens; prices with the hub's markup."""

    context_length: int
    max_output: int | None
    price: Price


OPENAI: dict[str, Known] = {
    "gpt-4": Known(8_192, 8_192, from_usd("30", "60")),
    "gpt-4-turbo": Known(128_000, 4_096, from_usd("10", "30")),
    "gpt-4o": Known(128_000, 16_384, from_usd("2.5", "10")),
    "gpt-4o-mini": Known(128_000, 16_384, from_usd("0.15", "0.6")),
    "gpt-4.1": Known(1_047_576, 32_768, from_usd("2", "8")),
    "gpt-4.1-mini": Known(1_047_576, 32_768, from_usd("0.4", "1.6")),
    "gpt-3.5-turbo": Known(16_385, 4_096, from_usd("0.5", "1.5")),
}
OPENAI_EMBEDDINGS: dict[str, Known] = {
    "text-embedding-ada-002": Known(8_192, None, from_usd("0.1")),
    "text-embedding-3-small": Known(8_192, None, from_usd("0.02")),
    "text-embedding-3-large": Known(8_192, None, from_usd("0.13")),
}
ANTHROPIC: dict[str, Known] = {
    "claude-opus-4-1": Known(200_000, 32_000, from_usd("15", "75")),
    "claude-sonnet-4-5": Known(200_000, 64_000, from_usd("3", "15")),
    "claude-haiku-4-5": Known(200_000, 64_000, from_usd("1", "5")),
    "claude-3-haiku-20240307": Known(200_000, 4_096, from_usd("0.25", "1.25")),
}


def about(upstream_name: str, kind: ModelKind) -> Known:
    """What is known of this model; for any other, the default prices and a usual length."""
    if kind == "embedding":
        return OPENAI_EMBEDDINGS.get(
            upstream_name, Known(DEFAULT_EMBEDDING_CONTEXT, None, DEFAULT_EMBEDDING_PRICE)
        )
    default = Known(DEFAULT_CHAT_CONTEXT, None, DEFAULT_CHAT_PRICE)
    return OPENAI.get(upstream_name) or ANTHROPIC.get(upstream_name) or default
