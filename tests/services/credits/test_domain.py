"""Amounts are exact, whatever is typed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aihub.services.credits.domain import LARGEST, MICRO, credits_text, parse_credits


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("0", 0),
        ("1", MICRO),
        ("99.9984", 99_998_400),
        ("0.000001", 1),
        ("+2.50", 2_500_000),
        (7, 7 * MICRO),
        ("1000000000", LARGEST),
        ("-0", 0),
    ],
)
def test_reads_what_people_write(text: object, micro: int) -> None:
    assert parse_credits(text) == micro


@pytest.mark.parametrize(
    "text",
    [
        "", " 1", "1 ", "1.", ".5", "1e3", "NaN", "Infinity", "-1", "-0.000001", "0.0000001", "1,5", "0x10",
        "1_000", "١", "1000000000.000001", "1" * 40, 1.5, 0.1, True, None, [], float("nan"), "12\n", "1\x00",
    ],
)  # fmt: skip
def test_refuses_what_is_not_an_exact_amount(text: object) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_credits(text)


def test_negative_amounts_only_where_they_mean_something() -> None:
    assert parse_credits("-1.5", negative=True) == -1_500_000


@given(st.integers(-LARGEST, LARGEST))
def test_nothing_is_lost_on_the_way_out_and_in(micro: int) -> None:
    text = credits_text(micro)
    assert parse_credits(text, negative=True) == micro
    assert Decimal(text) * MICRO == micro
    assert len(text.partition(".")[2]) == 6
