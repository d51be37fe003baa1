"""The pure rules: trees, titles, names, seams, and putting a message together from its stream."""

import random
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from aihub.agents import domain
from aihub.agents.contracts import BadAttachment, BadCursor
from aihub.agents.domain import Cursor, Turn
from aihub.agents.runs.assembly import Assembly, Chunk, coalesced
from aihub.agents.runs.prompt import fitting
from aihub.agents.runs.seam import Seam

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Node:
    number: int
    parent: int | None = None

    @property
    def id(self) -> UUID:
        return UUID(int=self.number)

    @property
    def parent_id(self) -> UUID | None:
        return None if self.parent is None else UUID(int=self.parent)

    @property
    def created_at(self) -> datetime:
        return START + timedelta(seconds=self.number)


TREE = [Node(1), Node(2, 1), Node(3, 2), Node(4, 3), Node(5, 2), Node(6, 5), Node(7, 1), Node(8)]


def test_a_branch_goes_from_the_root_to_the_leaf() -> None:
    assert [n.number for n in domain.branch(TREE, UUID(int=6))] == [1, 2, 5, 6]
    assert domain.branch(TREE, None) == []
    assert domain.branch(TREE, UUID(int=99)) == []


def test_the_newest_leaf_below_a_message() -> None:
    assert domain.newest_leaf(TREE, UUID(int=2)) == UUID(int=6)
    assert domain.newest_leaf(TREE, UUID(int=1)) == UUID(int=7)
    assert domain.newest_leaf(TREE, UUID(int=4)) == UUID(int=4)


def test_depth_first_puts_parents_first_and_loses_nobody() -> None:
    order = [n.number for n in domain.depth_first(TREE)]
    assert order == [1, 2, 3, 4, 5, 6, 7, 8]
    deep = [Node(n, n - 1 if n else None) for n in range(5000)]
    assert len(domain.depth_first(deep)) == len(domain.branch(deep, UUID(int=4999))) == 5000


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("\n\n   ## A *bold* `word`\nmore", "A bold word"),
        ("> - quoted point", "quoted point"),
        ("tab\tand\u2028line\x00 control", "tab and"),
        ("x" * 200, "x" * 80 + "…"),
        ("word " * 40, ("word " * 16).strip() + "…"),
        ("***", ""),
        ("👍 great", "👍 great"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert domain.title_from(text) == title


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.md", "plan.md"),
        (".hidden", "hidden"),
        ("a\nb\x07.txt", "ab.txt"),
        ("///", "attachment.txt"),
        ("é" * 300 + ".json", "é" * 115 + ".json"),
        ("<script>.html", "script.html"),
    ],
)
def test_file_names(given: str, kept: str) -> None:
    assert domain.file_name(given) == kept


def test_attachments_are_text_and_bounded() -> None:
    with pytest.raises(BadAttachment):
        domain.attachment("x.bin", "a\0b")
    big = domain.attachment("x.txt", "é" * (domain.ATTACHMENT_BYTES // 2))
    domain.check_attachments([big])
    with pytest.raises(BadAttachment):
        domain.check_attachments([big, domain.attachment("y", "!")])
    with pytest.raises(BadAttachment):
        domain.check_attachments([domain.attachment("y", "!")] * 11)


def test_cursors_survive_the_round_trip_and_nothing_else_does() -> None:
    cursor = Cursor(START, UUID(int=7))
    assert Cursor.parse(str(cursor)) == cursor
    for text in ("", "x", "AAAA", "MjAyNi0wMS0wMVQwMDowMDowMCAx", "é", str(cursor)[:-3]):
        with pytest.raises(BadCursor):
            Cursor.parse(text)


def test_neighbours_of_one_speaker_are_joined_and_empty_answers_left_out() -> None:
    turns = [Turn("user", "a"), Turn("assistant", " "), Turn("user", "b"), Turn("assistant", "c")]
    assert domain.alternating(turns) == [Turn("user", "a\n\nb"), Turn("assistant", "c")]


def test_what_does_not_fit_goes_from_the_oldest_question_on() -> None:
    messages = [{"role": "system", "content": "s"}]
    for n in range(10):
        messages += [{"role": "user", "content": f"q{n} " * 50}, {"role": "assistant", "content": "a" * 150}]
    messages.append({"role": "user", "content": "last"})
    kept, left_out = fitting(messages, 1000, 3.0)
    assert kept[0] == messages[0]
    assert kept[1]["role"] == "user"
    assert kept[-1] == messages[-1]
    assert left_out == len(messages) - len(kept) > 0
    assert left_out % 2 == 0
    everything, nothing = fitting(messages, 100_000, 3.0)
    assert (everything, nothing) == (messages, 0)


def test_a_continuation_is_joined_without_repetition() -> None:
    beginning = "The quick brown fox jumps over the lazy"
    for continuation, joined in (
        (" dog.", " dog."),
        ("jumps over the lazy dog.", " dog."),
        ("The quick brown fox jumps over the lazy dog.", " dog."),
        ("over the hills", " over the hills"),
        (", of course", ", of course"),
        ("lazy dog.", " dog."),
        ("laziness", " laziness"),
        ("the", " the"),
        ("", ""),
    ):
        for size in (1, 2, 3, 7, 100):
            seam = Seam(beginning)
            pieces = [continuation[i : i + size] for i in range(0, len(continuation), size)]
            assert "".join([*map(seam.push, pieces), seam.end()]) == joined, (continuation, size)
    free = Seam("")
    assert [free.push("a"), free.push("b"), free.end()] == ["a", "b", ""]


def test_a_message_is_the_same_however_its_stream_was_cut_into_events() -> None:
    noise = random.Random(7)
    chunks: list[Chunk] = [{"type": "start", "messageId": "m"}, {"type": "start-step"}]
    chunks += [{"type": "reasoning-start", "id": "r"}]
    chunks += [
        {"type": "reasoning-delta", "id": "r", "delta": noise.choice(string.printable)} for _ in range(50)
    ]
    chunks += [{"type": "reasoning-end", "id": "r"}]
    chunks += [{"type": "tool-input-start", "toolCallId": "c", "toolName": "clock"}]
    chunks += [{"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{}"}]
    chunks += [{"type": "tool-input-available", "toolCallId": "c", "toolName": "clock", "input": {}}]
    chunks += [
        {"type": "tool-output-available", "toolCallId": "c", "output": "noon"},
        {"type": "finish-step"},
    ]
    chunks += [{"type": "start-step"}, {"type": "text-start", "id": "t"}]
    chunks += [{"type": "text-delta", "id": "t", "delta": noise.choice("äß👍 ab")} for _ in range(200)]
    whole = Assembly(chunks)
    joined = list(coalesced(chunks))
    assert len(joined) < 20
    assert Assembly(joined).finished_parts() == whole.finished_parts()
    assert [p["type"] for p in whole.finished_parts()] == [
        "step-start", "reasoning", "tool-clock", "step-start", "text",
    ]  # fmt: skip
    assert whole.finished_parts()[2] == {
        "type": "tool-clock", "toolCallId": "c", "state": "output-available", "input": {}, "output": "noon",
    }  # fmt: skip
    closing = list(whole.closing())
    assert [c["type"] for c in closing] == ["text-end", "finish-step"]
    for chunk in closing:
        whole.take(chunk)
    assert list(whole.closing()) == []
    assert whole.finished_parts()[-1]["state"] == "done"
    assert whole.text == "".join(c["delta"] for c in chunks if c["type"] == "text-delta")
