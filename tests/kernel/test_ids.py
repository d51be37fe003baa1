"""Ids come in the order in which they were made, whatever the clock does."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from aihub.kernel import ids
from aihub.kernel.ids import new_id

NOON = 1_780_000_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Milliseconds that stand still until a test moves them."""
    at = [NOON]
    monkeypatch.setattr(ids, "_last", [0, 0])
    monkeypatch.setattr(time, "time_ns", lambda: at[0] * 1_000_000)
    return at


def test_ids_are_of_version_7_and_tell_the_time(clock: list[int]) -> None:
    made = new_id()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == NOON


def test_within_a_millisecond_each_is_greater_and_none_can_be_told_from_the_one_before(
    clock: list[int],
) -> None:
    made = [new_id() for _ in range(5_000)]
    assert {one.int >> 80 for one in made} == {NOON}
    steps = [later.int - earlier.int for earlier, later in pairwise(made)]
    assert min(steps) > 0
    assert len(set(steps)) == len(steps)
    assert all((one.version, one.int >> 62 & 0b11) == (7, 0b10) for one in made)


@pytest.mark.parametrize(("moved", "shown"), [(-3_000, NOON), (-3_600_000, NOON - 3_600_000), (1, NOON + 1)])
def test_a_clock_that_is_corrected_a_little_changes_no_order(
    clock: list[int], moved: int, shown: int
) -> None:
    before = new_id()
    clock[0] += moved
    after = new_id()
    assert after.int >> 80 == shown
    assert (after > before) is (moved > -10_000)


def test_when_the_numbers_of_a_millisecond_end_the_next_begins(
    clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ids, "_last", [NOON, (1 << 74) - 1])
    assert new_id().int >> 80 == NOON + 1
    assert new_id().int >> 80 == NOON + 1


def test_threads_make_no_id_twice() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(20_000)))
    assert len(set(made)) == len(made)
