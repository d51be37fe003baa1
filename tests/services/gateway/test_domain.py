"""Prices, bounds and counts, as rules that hold for every input."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from aihub.services.gateway.domain import (
    DEFAULT_CHAT_PRICE,
    Price,
    Usage,
    cost,
    estimate_tokens,
    from_usd,
    most,
    name_problem,
    output_limit,
    prompt_bound,
)
from aihub.services.gateway.metering import text_size, usage_of

PRICES = st.builds(Price, *(st.integers(0, 10**15) for _ in range(3)))
TOKENS = st.integers(0, 10**9)
USAGES = st.builds(Usage, TOKENS, TOKENS)
TEXTS = st.text(max_size=200)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXTS}),
    min_size=1,
    max_size=8,
)


@given(PRICES, USAGES)
def test_a_cost_is_the_exact_price_rounded_up(price: Price, usage: Usage) -> None:
    exact = (
        Fraction(usage.input_tokens * price.input, 10**6)
        + Fraction(usage.output_tokens * price.output, 10**6)
        + price.request
    )
    charged = cost(price, usage)
    assert exact <= charged < exact + 1


@given(PRICES, USAGES, TOKENS, TOKENS)
def test_more_tokens_never_cost_less(price: Price, usage: Usage, more_in: int, more_out: int) -> None:
    bigger = Usage(usage.input_tokens + more_in, usage.output_tokens + more_out)
    assert cost(price, bigger) >= cost(price, usage)


@given(PRICES, USAGES, st.integers(1, 16))
def test_the_hold_covers_every_call_within_its_bounds(price: Price, usage: Usage, choices: int) -> None:
    held = most(price, usage.input_tokens, usage.output_tokens, choices)
    assert held >= cost(price, Usage(usage.input_tokens, usage.output_tokens * choices))
    assert held >= cost(price, usage)


def test_the_default_price() -> None:
    # USD 0.000003 and 0.000015 a token, 20 % markup, a credit is a cent.
    assert Price(360 * 10**6, 1800 * 10**6, 0) == DEFAULT_CHAT_PRICE
    assert cost(DEFAULT_CHAT_PRICE, Usage(1, 0)) == 360
    assert cost(DEFAULT_CHAT_PRICE, Usage(1_000, 1_000)) == 360_000 + 1_800_000


@given(st.decimals(0, 10_000, places=6))
def test_a_list_price_is_never_rounded_down(usd: Decimal) -> None:
    assert from_usd(str(usd)).input >= usd * 100 * 10**6


@given(MESSAGES)
def test_the_bound_is_never_below_the_bytes_of_the_texts(messages: list[dict[str, str]]) -> None:
    body = {"messages": messages}
    size = sum(len(m["content"].encode("utf-8", "surrogatepass")) for m in messages)
    assert prompt_bound(body, 10**9) >= size + len(messages)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=300))
def test_no_byte_level_tokenizer_makes_more_tokens_than_the_bound(text: str) -> None:
    vocabulary = {symbol: number for number, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))  # the worst one: nothing is merged
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokens = len(tokenizer.encode(text).ids)
    assert tokens <= prompt_bound({"messages": [{"role": "user", "content": text}]}, 10**9)
    assert tokens <= prompt_bound({"input": text}, 10**9)


@given(MESSAGES, st.integers(1, 500))
def test_the_bound_stops_at_the_context(messages: list[dict[str, str]], context: int) -> None:
    assert prompt_bound({"messages": messages}, context) <= context


def test_tools_and_schemas_count() -> None:
    messages = [{"role": "user", "content": "x"}]
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 500}}]
    without = prompt_bound({"messages": messages}, 10**9)
    assert prompt_bound({"messages": messages, "tools": tools}, 10**9) >= without + 500
    schema = {"type": "json_schema", "json_schema": {"schema": {"title": "t" * 500}}}
    assert prompt_bound({"messages": messages, "response_format": schema}, 10**9) >= without + 500


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_media_counts_as_a_full_context(kind: str) -> None:
    part: dict[str, Any] = {"type": kind, kind: {"url": "https://example.org/a.png"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]
    assert prompt_bound({"messages": messages}, 8192) == 8192


@pytest.mark.parametrize(
    ("asked", "default", "max_output", "context", "limit"),
    [
        (None, 1000, None, 4096, 1000),
        (None, 1000, 200, 4096, 200),
        (50, 1000, 200, 4096, 50),
        (5000, 1000, 200, 4096, 200),
        (5000, 1000, None, 4096, 4096),
        (1, 1000, 1, 1, 1),
    ],
)
def test_output_limits(
    asked: int | None, default: int, max_output: int | None, context: int, limit: int
) -> None:
    assert output_limit(asked, default, max_output, context) == limit


@given(st.recursive(TEXTS | st.none() | st.integers(), lambda v: st.lists(v) | st.dictionaries(TEXTS, v)))
def test_text_sizes_stay_below_the_json(value: Any) -> None:
    try:
        whole = len(orjson.dumps(value))
    except TypeError:  # integers beyond 64 bits and lone surrogates are not JSON here
        return
    assert text_size(value) <= whole


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
        ({"prompt_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        (None, None),
        ("many", None),
        ({}, None),
        ({"prompt_tokens": -1, "completion_tokens": 4}, None),
        ({"prompt_tokens": 3.5, "completion_tokens": 4}, None),
        ({"prompt_tokens": True, "completion_tokens": 4}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": 4}, None),
        ({"prompt_tokens": 3, "completion_tokens": None}, None),
    ],
)
def test_only_usable_counts_are_believed(reported: Any, usage: Usage | None) -> None:
    assert usage_of(reported) == usage


def test_estimates_round_up() -> None:
    assert [estimate_tokens(n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


@pytest.mark.parametrize("name", ["gpt-4", "meta/llama-3:8b", "Qwen2.5", "日本語"])
def test_good_names(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("name", ["", "a b", "a\n", "x" * 129, "a\u0000", "a\u200b"])
def test_bad_names(name: str) -> None:
    assert name_problem(name) is not None
