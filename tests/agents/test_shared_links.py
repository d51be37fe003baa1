"""What strangers get by a link: as much as a page takes, and nothing of people who left."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from tests.agents.conftest import Hub
from tests.services.gateway.conftest import Person

from aihub.agents import service
from aihub.agents.domain import fitting
from aihub.kernel.db import system
from aihub.kernel.ids import new_id

BASE = "/api/v1/conversations"
SYSTEM = system("test")


async def said(hub: Hub, person: Person, conversation: str, texts: list[str]) -> list[str]:
    """Write a branch of messages below each other; their ids."""
    made = [new_id() for _ in texts]
    rows = [
        {
            "id": each, "up": made[at - 1] if at else None, "role": ("user", "assistant")[at % 2],
            "text": texts[at], "conversation": UUID(conversation), "owner": person.actor.user_id, "at": at,
        }
        for at, each in enumerate(made)
    ]  # fmt: skip
    async with hub.runtime.database.work(SYSTEM) as work:
        await work.session.execute(
            text(
                "insert into messages (id, conversation_id, owner_id, parent_id, role, text, created_at)"
                " values (:id, :conversation, :owner, :up, :role, :text,"
                " now() + :at * interval '1 millisecond')"
            ),
            rows,
        )
        await work.session.execute(
            text("update conversations set current_message_id = :leaf where id = :id"),
            {"leaf": made[-1], "id": UUID(conversation)},
        )
    return [str(each) for each in made]


async def shared(hub: Hub, person: Person, texts: list[str]) -> tuple[str, list[str]]:
    """The address of a shared conversation with these messages, and their ids."""
    conversation = await hub.conversation(person)
    ids = await said(hub, person, conversation, texts)
    link = (await hub.call("POST", f"{BASE}/{conversation}/share", person=person)).json()
    return f"/api/v1/shared/{link['token']}", ids


async def pages(hub: Hub, address: str) -> list[Any]:
    got = [(await hub.call("GET", address)).json()]
    while cursor := got[-1]["next_cursor"]:
        got.append((await hub.call("GET", f"{address}?cursor={cursor}")).json())
    return got


async def test_a_long_conversation_comes_in_pages(hub: Hub) -> None:
    ada = await hub.person()
    address, ids = await shared(hub, ada, [f"number {n}" for n in range(2_000)])
    got = await pages(hub, address)
    assert [len(page["messages"]) for page in got] == [service.SHOWN_AT_ONCE] * 20
    assert [m["id"] for page in got for m in page["messages"]] == ids
    assert {page["title"] for page in got} == {got[0]["title"]}


async def test_a_page_holds_so_much_text_and_at_least_one_message(hub: Hub) -> None:
    ada = await hub.person()
    large = "é" * (service.SHOWN_BYTES // 2)
    address, ids = await shared(hub, ada, ["short", "x" * 900_000, "y" * 900_000, large, large + "!", "end"])
    got = await pages(hub, address)
    assert [[m["id"] for m in page["messages"]] for page in got] == [ids[:3], ids[3:4], ids[4:5], ids[5:]]


async def test_cursors_of_elsewhere_are_refused(hub: Hub) -> None:
    ada, bob = await hub.person(), await hub.person()
    address, _ = await shared(hub, ada, ["mine"])
    _, others = await shared(hub, bob, ["not yours"])
    for cursor in (others[0], new_id()):
        answer = await hub.call("GET", f"{address}?cursor={cursor}")
        assert (answer.status, answer.json()["code"]) == (400, "request.bad_cursor")
    assert (await hub.call("GET", f"{address}?cursor=zzz")).status == 422


async def test_an_empty_conversation_can_be_shared(hub: Hub) -> None:
    ada = await hub.person()
    link = (await hub.call("POST", f"{BASE}/{await hub.conversation(ada)}/share", person=ada)).json()
    got = (await hub.call("GET", f"/api/v1/shared/{link['token']}")).json()
    assert (got["messages"], got["next_cursor"]) == ([], None)


async def test_links_of_somebody_deactivated_lead_nowhere_at_once(hub: Hub) -> None:
    ada = await hub.person()
    address, _ = await shared(hub, ada, ["still here?"])
    for active, status in ((True, 200), (False, 404), (True, 200)):
        async with hub.runtime.database.work(SYSTEM) as work:
            await work.session.execute(
                text("update users set active = :active where id = :id"),
                {"active": active, "id": ada.actor.user_id},
            )
        answer = await hub.call("GET", address)
        assert answer.status == status
        assert status == 200 or answer.json()["code"] == "conversation.not_shared"


def test_the_first_always_fits() -> None:
    assert [fitting(sizes, 10) for sizes in ([], [11], [5, 5], [5, 6], [0, 0, 11], [11, 0])] == [
        0, 1, 2, 1, 2, 1,
    ]  # fmt: skip
