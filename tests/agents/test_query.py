"""POST /api/agent/query: one question, one answer."""

from typing import Any

import orjson
import pytest
from tests.agents.conftest import Hub, open_hub

from aihub.kernel.db import system
from aihub.services.gateway.adapters.fake import Script

PATH = "/api/agent/query"
QUESTION = "What did I spend on groceries last month?"


async def test_a_question_is_answered_with_the_model_and_what_it_took(hub: Hub) -> None:
    ada = await hub.person()
    facts = {"userAgent": "Mozilla/5.0", "ip": "203.0.113.9", "sessionId": "s-1"}
    answer = await hub.call("POST", PATH, {"query": QUESTION, "metadata": facts}, person=ada)
    assert answer.status == 200, answer.body
    body = answer.json()
    assert body["message"].startswith("word1 word2")
    assert body["model"] == "words"
    assert body["usage"]["output_tokens"] > 0
    assert body["usage"]["credits"] == "0.000000"
    assert hub.fake.requests[-1]["messages"] == [{"role": "user", "content": QUESTION}]
    assert (await hub.call("GET", "/api/v1/conversations", person=ada)).json()["items"] == [], (
        "nothing is kept"
    )


async def test_a_streamed_answer_ends_with_done_and_an_error_is_an_event(hub: Hub) -> None:
    ada = await hub.person()
    answer = await hub.call("POST", PATH, {"query": QUESTION, "streaming": True}, person=ada)
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = [frame.removeprefix(b"data: ") for frame in answer.body.strip().split(b"\n\n")]
    chunks = [orjson.loads(frame) for frame in frames[:-1]]
    assert frames[-1] == b"[DONE]"
    assert "".join(c["delta"] for c in chunks if c["type"] == "text-delta").startswith("word1 word2")
    assert chunks[-1]["messageMetadata"]["model"] == "words"
    assert chunks[-1]["messageMetadata"]["usage"]["output_tokens"] > 0

    hub.fake.scripts["words"] = Script(text="one two three four", cut_after=2)
    answer = await hub.call("POST", PATH, {"query": QUESTION, "streaming": True}, person=ada)
    chunks = [orjson.loads(f.removeprefix(b"data: ")) for f in answer.body.strip().split(b"\n\n")[:-1]]
    assert [c["type"] for c in chunks[-4:]] == ["finish-step", "data-error", "error", "finish"]
    whole = await hub.call("POST", PATH, {"query": QUESTION}, person=ada)
    assert (whole.status, whole.json()["code"]) == (502, "provider.cut")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "   "}, "query"),
        ({"query": "x" * 1001}, "query"),
        ({"query": 5}, "query"),
        ({"query": "a\0b"}, "query"),
        ({"query": "a", "streaming": "perhaps"}, "streaming"),
        ({"query": "a", "metadata": []}, "metadata"),
        ({"query": "a", "metadata": {"ip": 7}}, "metadata.ip"),
        ({"query": "a", "metadata": {"userId": "42"}}, "metadata.userId"),
        ({"query": "a", "role": "admin"}, "role"),
    ],
)
async def test_what_is_wrong_with_a_question_is_named(hub: Hub, body: Any, field: str) -> None:
    answer = await hub.call("POST", PATH, body)
    assert answer.status == 422, answer.body
    assert answer.json()["errors"][0]["field"] == field
    assert not hub.fake.requests


async def test_a_question_may_have_1_to_1000_characters(hub: Hub) -> None:
    for text in ("x", "é" * 1000):
        assert (await hub.call("POST", PATH, {"query": text})).status == 200


async def test_ten_questions_a_minute_whatever_the_client_says_of_itself(dsn: str, home: Any) -> None:
    async with open_hub(dsn, home) as hub:
        hub.fake.scripts["words"] = Script(text="ok")
        ada, bob = await hub.person(), await hub.person()
        answers = [
            await hub.call(
                "POST",
                PATH,
                {"query": "a", "metadata": {"ip": f"203.0.113.{n}", "sessionId": str(n)}},
                person=ada,
            )
            for n in range(11)
        ]
        assert [a.status for a in answers] == [200] * 10 + [429]
        assert answers[-1].json()["code"] == "limits.exceeded"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert "r=9" in answers[0].headers["ratelimit"]
        assert (await hub.call("POST", PATH, {"query": "a"}, person=bob)).status == 200


async def test_forged_metadata_is_recorded_nowhere(hub: Hub) -> None:
    facts = {"userAgent": "forged-agent", "ip": "198.51.100.77", "sessionId": "forged-session"}
    assert (await hub.call("POST", PATH, {"query": "a", "metadata": facts})).status == 200
    async with hub.runtime.database.work(system("test")) as work:
        connection = await work.session.connection()
        rows = await connection.exec_driver_sql(
            "select coalesce(string_agg(a::text, ' '), '') from audit_log a"
        )
        told = str(rows.scalar_one())
    assert not any(value in told for value in facts.values())
    assert not any(value in str(request) for request in hub.fake.requests for value in facts.values())
