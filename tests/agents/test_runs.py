"""Answers as stored streams: shown after they are kept, followed from anywhere, ended in every way."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.agents.conftest import WORDS, Hub, another_process, kinds, text_of
from tests.support.waiting import until

from aihub.agents import service
from aihub.kernel.db import system
from aihub.services.gateway.adapters.embedded.errors import ModelLoading
from aihub.services.gateway.adapters.fake import Script

MICRO = 1_000_000


async def test_a_question_is_answered_in_the_background_and_its_stream_tells_the_whole(hub: Hub) -> None:
    ada = await hub.person()
    conversation = await hub.conversation(ada)
    started = await hub.ask(ada, conversation, "Tell me forty words.")
    assert started["assistant_message"]["status"] == "streaming"
    assert started["run"]["status"] == "running"
    assert started["assistant_message"]["parent_id"] == started["user_message"]["id"]
    events = await hub.whole(ada, started["run"]["id"])
    assert [e.id for e in events[:-1]] == list(range(1, len(events)))
    assert kinds(events)[:3] == ["start", "start-step", "text-start"]
    assert kinds(events)[-4:] == ["text-end", "finish-step", "finish", "[DONE]"]
    assert text_of(events) == WORDS.text
    detail = await hub.read(ada, conversation)
    answer = detail["messages"][1]
    assert answer["text"] == WORDS.text
    assert answer["status"] == "complete"
    assert answer["parts"] == [{"type": "step-start"}, {"type": "text", "text": WORDS.text, "state": "done"}]
    assert answer["usage"]["output_tokens"] > 0
    assert detail["active_run"] is None
    assert detail["conversation"]["current_message_id"] == answer["id"]
    assert detail["conversation"]["title"] == "Tell me forty words."


async def test_what_a_reader_gets_is_already_in_the_database(hub: Hub) -> None:
    ada = await hub.person()
    started = await hub.ask(ada, await hub.conversation(ada))
    run = started["run"]["id"]
    looked = 0
    async for event in hub.events(ada, run):
        if event.data == "[DONE]":
            break
        async with hub.runtime.database.work(system("test")) as work:
            stored = await work.session.connection()
            row = await stored.exec_driver_sql(
                "select count(*) from run_events where run_id = %s and seq = %s", (run, event.id)
            )
            assert row.scalar() == 1, event
        looked += 1
    assert looked > 8


async def test_a_reader_who_lost_the_line_goes_on_after_the_last_event_in_any_process(
    hub: Hub, dsn: str, home: Path
) -> None:
    ada = await hub.person()
    run = (await hub.ask(ada, await hub.conversation(ada)))["run"]["id"]
    seen = []
    async for event in hub.events(ada, run):
        seen.append(event)
        if len(seen) == 6:
            break
    async with another_process(hub, dsn, home) as other:
        rest = await other.whole(ada, run, last_event_id=seen[-1].id)
    numbers = [e.id for e in [*seen, *rest] if e.id]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(rest) > 4, "the second process followed it live"
    assert text_of([*seen, *rest]) == WORDS.text
    again = await hub.whole(ada, run, after=seen[-1].id)
    assert [e.data for e in again] == [e.data for e in rest]


async def test_a_conversation_read_half_way_fits_the_events_that_follow(hub: Hub) -> None:
    ada = await hub.person()
    conversation = await hub.conversation(ada)
    run = (await hub.ask(ada, conversation))["run"]["id"]

    async def begun() -> object:
        detail = await hub.read(ada, conversation)
        return detail if "word5" in detail["messages"][1]["text"] else None

    detail = await until(begun)
    assert isinstance(detail, dict)
    assert detail["active_run"]["id"] == run
    rest = await hub.whole(ada, run, after=detail["active_run"]["last_event"])
    assert detail["messages"][1]["text"] + text_of(rest) == WORDS.text


async def test_stopping_keeps_what_was_shown_and_charges_no_more(hub: Hub, dsn: str, home: Path) -> None:
    await hub.add_model("priced", Script(text="word " * 2000, gap=0.01), output_price="1000", max_output=2000)
    ada = await hub.person(whole=100)
    conversation = await hub.conversation(ada, "priced")
    started = await hub.ask(ada, conversation)
    run = started["run"]["id"]
    async with another_process(hub, dsn, home) as other:
        events = []
        async for event in hub.events(ada, run):
            events.append(event)
            if len(events) == 8:  # somebody asks another process to stop it
                answer = await other.call("POST", f"/api/v1/runs/{run}/stop", person=ada)
                assert answer.status == 202
    assert kinds(events)[-3:] == ["abort", "finish", "[DONE]"]
    message = await hub.message(ada, conversation, started["assistant_message"]["id"])
    assert message["status"] == "stopped"
    assert message["error"] is None
    assert message["text"] == text_of(events)
    assert 10 < len(message["text"]) < 5000
    entry = (await hub.until_charged(ada))[0]
    assert message["usage"]["credits"] == f"{-entry.amount // MICRO}.{-entry.amount % MICRO:06d}"
    assert (await hub.balance(ada)) == (100 * MICRO + entry.amount, 0)
    again = await hub.call("POST", f"/api/v1/runs/{run}/stop", person=ada)
    assert (again.status, again.json()["status"]) == (202, "stopped")


async def test_stopping_before_the_first_word(hub: Hub) -> None:
    await hub.add_model("sleepy", Script(text="late", first_delay=30))
    ada = await hub.person()
    conversation = await hub.conversation(ada, "sleepy")
    run = (await hub.ask(ada, conversation))["run"]["id"]
    await until(lambda: hub.fake.running)
    await hub.call("POST", f"/api/v1/runs/{run}/stop", person=ada)
    ended = await hub.until_ended(ada, run)
    assert ended["status"] == "stopped"
    assert kinds(await hub.whole(ada, run))[-3:] == ["abort", "finish", "[DONE]"]
    hub.fake.scripts["sleepy"] = Script(text="awake")
    path = f"/api/v1/conversations/{conversation}/messages/{ended['message_id']}/continue"
    going_on = (await hub.call("POST", path, {}, person=ada)).json()
    assert text_of(await hub.whole(ada, going_on["run"]["id"])) == "awake"
    assert len(hub.fake.requests[-1]["messages"]) == 1


async def test_a_second_question_while_an_answer_is_written_is_refused(hub: Hub) -> None:
    ada = await hub.person()
    conversation = await hub.conversation(ada)
    path = f"/api/v1/conversations/{conversation}/messages"
    answers = await asyncio.gather(
        *(hub.call("POST", path, {"text": f"question {n}"}, person=ada) for n in range(5))
    )
    assert sorted(a.status for a in answers) == [202, 409, 409, 409, 409]
    refused = next(a for a in answers if a.status == 409).json()
    assert refused["code"] == "conversation.answer_in_progress"
    assert refused["remedy"]
    detail = await hub.read(ada, conversation)
    assert len(detail["messages"]) == 2, "nothing of the refused ones was written"


async def test_the_same_key_asks_once(hub: Hub) -> None:
    ada = await hub.person()
    conversation = await hub.conversation(ada)
    path = f"/api/v1/conversations/{conversation}/messages"
    key = {"Idempotency-Key": "the-same-key"}
    first, second = await asyncio.gather(
        *(hub.call("POST", path, {"text": "once"}, person=ada, headers=key) for _ in range(2))
    )
    assert (first.status, second.status) == (202, 202)
    assert first.json() == second.json()
    await hub.until_ended(ada, first.json()["run"]["id"])
    third = await hub.call("POST", path, {"text": "once"}, person=ada, headers=key)
    assert third.json() == first.json()
    assert len((await hub.read(ada, conversation))["messages"]) == 2
    other = await hub.call("POST", path, {"text": "another"}, person=ada, headers=key)
    assert (other.status, other.json()["code"]) == (409, "request.idempotency_mismatch")


async def test_a_provider_that_breaks_off_leaves_the_beginning_and_an_error_event(hub: Hub) -> None:
    await hub.add_model("cutting", Script(text="one two three four five six", cut_after=4, gap=0.01))
    ada = await hub.person()
    conversation = await hub.conversation(ada, "cutting")
    started = await hub.ask(ada, conversation)
    events = await hub.whole(ada, started["run"]["id"])
    assert kinds(events)[-5:] == ["finish-step", "data-error", "error", "finish", "[DONE]"]
    assert kinds(events).index("text-end") < kinds(events).index("error")
    message = await hub.message(ada, conversation, started["assistant_message"]["id"])
    assert message["status"] == "interrupted"
    assert message["text"].startswith("one two")
    assert message["error"]["code"] == "provider.cut"
    assert message["error"]["remedy"]


async def test_an_answer_that_never_begins_fails_with_a_reason(hub: Hub) -> None:
    await hub.add_model("dead", Script(status=500, error={"message": "secret inner words"}))
    await hub.add_model("nothing", Script(text=""))
    await hub.add_model("dear", Script(text="x"), output_price="1000000", max_output=1000)
    ada = await hub.person()
    codes = {}
    for model in ("dead", "nothing", "dear"):
        conversation = await hub.conversation(ada, model)
        started = await hub.ask(ada, conversation)
        events = await hub.whole(ada, started["run"]["id"])
        assert kinds(events)[-4:] == ["data-error", "error", "finish", "[DONE]"]
        message = await hub.message(ada, conversation, started["assistant_message"]["id"])
        assert message["status"] == "failed"
        codes[model] = message["error"]["code"]
    assert codes["nothing"] == "run.empty_answer"
    assert codes["dear"] == "credits.insufficient"
    assert codes["dead"].startswith("provider.")


async def test_a_chat_answer_costs_what_the_same_call_costs_through_the_api(hub: Hub) -> None:
    await hub.add_model("priced", Script(text="ten tokens or so"), input_price="200", output_price="1000")
    ada, bob = await hub.person(whole=100), await hub.person(whole=100)
    conversation = await hub.conversation(ada, "priced", system_prompt="Be brief.")
    started = await hub.ask(ada, conversation, "How are you?")
    await hub.whole(ada, started["run"]["id"])
    message = await hub.message(ada, conversation, started["assistant_message"]["id"])
    body = {k: v for k, v in hub.fake.requests[-1].items() if k not in ("path", "model")} | {
        "model": "priced"
    }
    answer = await hub.call("POST", "/v1/chat/completions", body, person=bob)
    assert answer.status == 200
    mine, theirs = (await hub.until_charged(ada))[0], (await hub.until_charged(bob))[0]
    assert mine.amount == theirs.amount < 0
    assert message["usage"]["credits"] == f"0.{-mine.amount:06d}"


async def test_events_go_a_day_after_the_end_and_the_stream_is_then_told_from_the_message(hub: Hub) -> None:
    ada = await hub.person()
    conversation = await hub.conversation(ada)
    run = (await hub.ask(ada, conversation))["run"]["id"]
    await hub.until_ended(ada, run)
    before = await hub.whole(ada, run)
    for age, purged in (("23 hours", 0), ("25 hours", 1)):
        async with hub.runtime.database.work(system("test")) as work:
            connection = await work.session.connection()
            await connection.exec_driver_sql(f"update runs set finished_at = now() - interval '{age}'")
            assert await service.purge(work) == (0, purged)
    after = await hub.whole(ada, run)
    assert len(after) < len(before)
    assert text_of(after) == WORDS.text == text_of(before)
    assert kinds(after)[-2:] == ["finish", "[DONE]"]
    assert after[-2].id == before[-2].id


async def test_a_question_waits_for_a_model_that_is_still_loading(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, open_stream = [], hub.gateway.open_stream

    async def loading_at_first(*arguments: Any, **options: Any) -> Any:
        opened.append(options["idempotency_key"])
        if len(opened) < 3:
            raise ModelLoading("Reading the weights.")
        return await open_stream(*arguments, **options)

    monkeypatch.setattr(hub.gateway, "open_stream", loading_at_first)
    ada = await hub.person()
    run = (await hub.ask(ada, await hub.conversation(ada)))["run"]["id"]
    assert text_of(await hub.whole(ada, run)) == WORDS.text
    assert len(set(opened)) == 3, "each try has a key of its own"


async def test_stopping_while_the_model_loads(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def loading(*_arguments: Any, **_options: Any) -> Any:
        raise ModelLoading("Downloading, 12 %.")

    monkeypatch.setattr(hub.gateway, "open_stream", loading)
    ada = await hub.person()
    run = (await hub.ask(ada, await hub.conversation(ada)))["run"]["id"]
    assert (await hub.call("GET", f"/api/v1/runs/{run}", person=ada)).json()["status"] == "running"
    await hub.call("POST", f"/api/v1/runs/{run}/stop", person=ada)
    assert (await hub.until_ended(ada, run))["status"] == "stopped"
