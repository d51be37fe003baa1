"""GGUF files of one's own: brought in over HTTP, chosen while the hub serves, and never half there."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.services.gateway.conftest import Answer, Hub, Person, open_hub
from tests.support.runtime import open_runtime
from tests.support.waiting import until
from tests.support.weights import cached_weights, link_weights

from aihub.kernel import audit
from aihub.kernel.db import system
from aihub.services.gateway import gguf_files
from aihub.services.gateway.adapters.embedded import choice
from aihub.services.gateway.adapters.embedded.weights import SMOLLM2
from aihub.services.gateway.embedded import Embedded

pytestmark = pytest.mark.xdist_group("embedded")

FILES = "/api/v1/embedded/files"
HELLO = [{"role": "user", "content": "Say hello."}]


def model_file(home: Path) -> Path:
    return SMOLLM2.folder(home) / SMOLLM2.files[0].name


async def upload(
    hub: Hub,
    name: str,
    body: bytes,
    *,
    person: Person | None = None,
    kind: str = "application/octet-stream",
) -> Answer:
    request = hub.http.post(f"{hub.url}{FILES}?name={quote(name, safe='')}")
    request = request.header("authorization", f"Bearer {(person or hub.admin).key}")
    response = await request.header("content-type", kind).body_bytes(body).build().send()
    return Answer(response.status, dict(response.headers), bytes(await response.bytes()))


async def choose(hub: Hub, file: str | None) -> Answer:
    return await hub.call("PUT", "/api/v1/embedded/choice", {"file": file})


async def state(hub: Hub) -> dict[str, Any]:
    return dict((await hub.call("GET", "/api/v1/embedded")).json())


async def until_state(hub: Hub, name: str, wanted: str, seconds: float = 40) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        now = await state(hub)
        return now if (now["model_name"], now["state"]) == (name, wanted) else None

    found: Any = await until(reached, seconds)
    return dict(found)


async def models(hub: Hub) -> dict[str, dict[str, Any]]:
    items = (await hub.call("GET", "/api/v1/models")).json()["items"]
    return {item["name"]: item for item in items}


async def listed(hub: Hub) -> list[str]:
    return [item["name"] for item in (await hub.call("GET", FILES)).json()["items"]]


def left(home: Path) -> list[str]:
    folder = choice.folder(home)
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
async def running(dsn: str, tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub that runs the demonstration model."""
    home = link_weights(cached_weights(), tmp_path / "home", SMOLLM2)
    async with open_hub(dsn, home, duties=frozenset({"http", "embedded"}), AIHUB_EMBEDDED="on") as hub:
        await until_state(hub, SMOLLM2.title, "ready")
        yield hub


async def test_a_file_is_uploaded_chosen_and_answers_without_a_restart(running: Hub) -> None:
    hub, home = running, running.runtime.kernel.home
    assert (await models(hub))["smollm2-135m"]["default"] is True
    body = model_file(home).read_bytes()
    made = await upload(hub, "My own (Q4).gguf", body)
    assert (made.status, made.json()) == (
        201,
        {"name": "My own (Q4).gguf", "size": len(body), "valid": True, "chosen": False},
    )
    assert left(home) == ["My own (Q4).gguf"]
    assert (choice.folder(home) / "My own (Q4).gguf").read_bytes() == body
    assert (await state(hub))["model_name"] == SMOLLM2.title, "an upload alone changes nothing"
    again = await upload(hub, "My own (Q4).gguf", body)
    assert (again.status, again.json()["code"]) == (409, "embedded.file_exists")

    answer = await choose(hub, "My own (Q4).gguf")
    assert answer.status == 200, answer.body
    assert (answer.json()["model_name"], answer.json()["demonstration"]) == ("My own (Q4)", False)
    assert answer.json()["state"] in ("loading", "ready")
    await until_state(hub, "My own (Q4)", "ready")
    await hub.settled_catalogue("local")
    known = await models(hub)
    own, demo = known["my-own-q4"], known["smollm2-135m"]
    assert own["aliases"] == ["local"]
    assert {own["input_price"], own["output_price"], own["request_price"]} == {"0.000000"}
    assert (own["demonstration"], own["default"], own["state"]) == (False, True, "ready")
    assert (demo["demonstration"], demo["default"], demo["state"]) == (True, False, "stopped")
    async with hub.client(hub.admin) as client:
        said = await client.chat.completions.create(model="local", messages=HELLO, max_tokens=8)  # type: ignore[arg-type]
    assert said.model == "my-own-q4"
    assert said.choices[0].message.content
    body_of_demo = {"model": "smollm2-135m", "messages": HELLO}
    asleep = await hub.call("POST", "/v1/chat/completions", body_of_demo)
    assert (asleep.status, asleep.json()["error"]["code"]) == (503, "model.unavailable")

    kept = await hub.call("DELETE", f"{FILES}/{quote('My own (Q4).gguf')}")
    assert (kept.status, kept.json()["code"]) == (409, "embedded.file_in_use")
    assert (await choose(hub, None)).status == 200
    await until_state(hub, SMOLLM2.title, "ready")
    known = await models(hub)
    assert (known["smollm2-135m"]["default"], known["my-own-q4"]["state"]) == (True, "stopped")
    assert (await hub.call("DELETE", f"{FILES}/{quote('My own (Q4).gguf')}")).status == 204
    assert left(home) == []
    assert "my-own-q4" not in await models(hub)
    async with hub.runtime.database.work(system("test")) as work:
        lines = (await audit.page(work, cursor=None, limit=50, action="model_file.*")).items
    assert [line.action.partition(".")[2] for line in reversed(lines)] == [
        "create",
        "choose",
        "choose",
        "remove",
    ]
    assert {line.actor for line in lines} == {hub.admin.actor.email}


async def test_a_broken_file_fails_with_a_reason_and_the_way_back_is_open(running: Hub) -> None:
    hub = running
    assert (await upload(hub, "broken.gguf", b"GGUF" + bytes(range(256)) * 20)).status == 201
    assert (await choose(hub, "broken.gguf")).status == 200
    failed = await until_state(hub, "broken", "failed")
    assert (failed["code"], failed["demonstration"]) == ("model.unusable", False)
    assert failed["detail"]
    assert "demonstration model" in failed["remedy"]
    assert (await models(hub))["broken"]["state"] in ("failed", "loading")
    assert (await choose(hub, None)).status == 200
    await until_state(hub, SMOLLM2.title, "ready")


async def test_a_file_that_was_put_there_by_hand_can_be_chosen_once_it_is_one(running: Hub) -> None:
    hub, home = running, running.runtime.kernel.home
    folder = choice.folder(home)
    folder.mkdir()
    (folder / "note.gguf").write_bytes(b"not a model")
    (folder / "Élan vital.gguf").symlink_to(model_file(home))
    seen = (await hub.call("GET", FILES)).json()
    assert seen["folder"] == str(folder)
    assert [(f["name"], f["valid"], f["chosen"]) for f in seen["items"]] == [
        ("note.gguf", False, False),
        ("Élan vital.gguf", True, False),
    ]
    assert (seen["demonstration_chosen"], seen["operator_file"]) == (True, None)
    refused = await choose(hub, "note.gguf")
    assert (refused.status, refused.json()["code"]) == (422, "embedded.not_gguf")
    assert (await choose(hub, "Élan vital.gguf")).status == 200
    await until_state(hub, "Élan vital", "ready")


async def test_another_process_chooses_and_sees_what_comes_of_it(running: Hub, dsn: str) -> None:
    hub, home = running, running.runtime.kernel.home
    folder = choice.folder(home)
    folder.mkdir()
    (folder / "mine.gguf").symlink_to(model_file(home))
    (folder / "torn.gguf").write_bytes(model_file(home).read_bytes()[:5_000_000])
    async with open_runtime(dsn, hub.runtime.settings, hub.runtime.modules) as other:
        elsewhere = other.get(Embedded)
        assert elsewhere.wanted() == SMOLLM2.title

        async def reached(name: str, wanted: str) -> bool:
            now = await elsewhere.state()
            return (now.model_name, now.state) == (name, wanted)

        for file, wanted in (("mine", "ready"), ("torn", "failed"), (None, "ready")):
            await elsewhere.choose(f"{file}.gguf" if file else None)
            assert elsewhere.wanted() == (file or SMOLLM2.title)
            await until(lambda: reached(file or SMOLLM2.title, wanted), 40)  # noqa: B023 - waited for here
            assert (await elsewhere.state()).demonstration is (file is None)


async def test_the_choice_outlives_a_restart(dsn: str, tmp_path: Path) -> None:
    home = link_weights(cached_weights(), tmp_path / "home", SMOLLM2)
    folder = choice.folder(home)
    folder.mkdir()
    for name in ("a.gguf", "b.gguf"):
        (folder / name).symlink_to(model_file(home))
    duties = frozenset({"http", "embedded"})
    async with open_hub(dsn, home, duties=duties, AIHUB_EMBEDDED="on") as hub:
        assert (await state(hub))["model_name"] == "a", "without a choice, the first file that is there"
        assert (await choose(hub, "b.gguf")).status == 200
        await until_state(hub, "b", "ready")
    choice.choose(home, "b.gguf")
    assert choice.own_file(home, None) == folder / "b.gguf"
    assert choice.own_file(home, Path("/elsewhere/x.gguf")) == Path("/elsewhere/x.gguf")
    choice.choose(home, None)
    assert choice.own_file(home, None) is None


# ---------------------------------------------------------------- uploads that must leave nothing


@pytest.mark.parametrize("body", [b"", b"GGU", b"PK\3\4" + b"x" * 5000, b" GGUF", b"gguf1234"])
async def test_what_is_no_gguf_is_refused_at_its_first_bytes(hub: Hub, body: bytes) -> None:
    answer = await upload(hub, "model.gguf", body)
    assert (answer.status, answer.json()["code"]) == (422, "embedded.not_gguf")
    assert answer.json()["remedy"]
    assert left(hub.runtime.kernel.home) == []


@pytest.mark.parametrize(
    "name",
    [
        "../x.gguf", "..\\x.gguf", "/etc/x.gguf", "a/b.gguf", ".x.gguf", ".gguf", "x.bin", "x.gguf.bin", "",
        "x\0.gguf", "x\n.gguf", "x.gguf\n", "é.gguf", "x" * 130 + ".gguf", "..", "-x.gguf", "a%2Fb.gguf",
    ],
)  # fmt: skip
async def test_names_that_lead_elsewhere_are_refused(hub: Hub, name: str) -> None:
    answer = await upload(hub, name, b"GGUF" + b"x" * 100)
    assert (answer.status, answer.json()["code"]) == (422, "request.invalid")
    assert left(hub.runtime.kernel.home) == []
    assert not list(hub.runtime.kernel.home.parent.rglob("*x.gguf"))


@pytest.mark.parametrize(
    "name", ["../choice.json", "..", "%2e%2e", "..%2Fchoice.json", "nothing.gguf", "%00"]
)
async def test_only_listed_files_can_be_removed_or_chosen(hub: Hub, name: str) -> None:
    home = hub.runtime.kernel.home
    secret = home / "models" / "choice.json"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text('{"file": null}')
    assert (await hub.call("DELETE", f"{FILES}/{quote(name, safe='%')}")).status == 404
    assert secret.exists()
    with pytest.raises(gguf_files.FileNotFound):
        gguf_files.named(home, name)


async def test_a_file_above_the_limit_is_refused_however_it_comes(dsn: str, home: Path) -> None:
    async with open_hub(dsn, home, AIHUB_MAX_GGUF="12MB", AIHUB_MAX_BODY="1MB") as hub:
        small = await upload(hub, "small.gguf", b"GGUF" + b"x" * (11 << 20))
        assert small.status == 201, small.body  # more than other routes take
        announced = await upload(hub, "large.gguf", b"GGUF" + b"x" * (12 << 20))
        assert (announced.status, announced.json()["code"]) == (413, "request.too_large")
        pieces = [b"GGUF" + b"x" * (1 << 20)] * 14
        chunked = await raw(hub, "POST", f"{FILES}?name=large.gguf", pieces)
        assert chunked.startswith(b"HTTP/1.1 413")
        # The limit is this route's alone, and this kind's alone.
        other = await raw(hub, "POST", "/api/v1/models", [b"x" * (1 << 20)] * 2)
        assert other.startswith(b"HTTP/1.1 413")
        words = await upload(hub, "large.gguf", b"GGUF" + b"x" * (2 << 20), kind="application/json")
        assert (words.status, words.json()["code"]) == (413, "request.too_large")
        words = await upload(hub, "large.gguf", b"GGUF", kind="text/plain")
        assert (words.status, words.json()["code"]) == (422, "embedded.wrong_content")
        assert left(home) == ["small.gguf"]
        assert await listed(hub) == ["small.gguf"]


async def raw(hub: Hub, method: str, path: str, pieces: list[bytes], *, whole: bool = True) -> bytes:
    """Send a chunked body piece by piece; the answer, as far as one comes. `whole` False: hang up."""
    where = urlsplit(hub.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {hub.admin.key}\r\n"
        "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    try:
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        if not whole:
            return b""
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return await reader.read(65536)
    except ConnectionError:
        return await reader.read(65536)
    finally:
        writer.close()


async def test_an_upload_cut_half_way_leaves_nothing(hub: Hub) -> None:
    home = hub.runtime.kernel.home
    await raw(hub, "POST", f"{FILES}?name=half.gguf", [b"GGUF" + b"x" * (5 << 20)] * 2, whole=False)
    await until(lambda: left(home) == [])
    where = urlsplit(hub.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        f"POST {FILES}?name=half.gguf HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {hub.admin.key}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 9000000\r\n\r\nGGUF".encode()
        + b"x" * 8_000_000
    )
    await writer.drain()
    await until(lambda: any(name.startswith(".upload-") for name in left(home)))
    assert await listed(hub) == [], "a file on its way is not shown"
    writer.close()
    await until(lambda: left(home) == [])
    assert choice.chosen(home) is None


async def test_what_a_killed_process_left_is_swept_and_what_grows_is_not(hub: Hub) -> None:
    folder = choice.folder(hub.runtime.kernel.home)
    folder.mkdir(parents=True)
    old, young = folder / ".upload-old", folder / ".upload-young"
    for part in (old, young):
        part.write_bytes(b"GGUF")
    os.utime(old, (time.time() - 7200,) * 2)
    assert (await upload(hub, "x.gguf", b"GGUF1")).status == 201
    assert left(hub.runtime.kernel.home) == [".upload-young", "x.gguf"]


async def test_without_room_nothing_is_begun(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=257 << 20))
    answer = await upload(hub, "x.gguf", b"GGUF" + b"x" * (2 << 20))
    assert (answer.status, answer.json()["code"]) == (503, "embedded.no_room")
    assert answer.json()["remedy"]
    assert left(hub.runtime.kernel.home) == []


# ---------------------------------------------------------------- who, and when not


@pytest.mark.parametrize("role", ["user", "manager", "guest"])
async def test_only_who_manages_models_may(hub: Hub, role: str) -> None:
    person = await hub.person(role=role)
    for answer in (
        await hub.call("GET", FILES, person=person),
        await upload(hub, "x.gguf", b"GGUF1234", person=person),
        await hub.call("DELETE", f"{FILES}/x.gguf", person=person),
        await hub.call("PUT", "/api/v1/embedded/choice", {"file": None}, person=person),
    ):
        assert (answer.status, answer.json()["code"]) == (403, "auth.forbidden")
    stranger = Person("nobody", person.actor)
    assert (await upload(hub, "x.gguf", b"GGUF1234", person=stranger)).status == 401
    assert left(hub.runtime.kernel.home) == []


async def test_the_operators_file_wins(dsn: str, home: Path) -> None:
    async with open_hub(dsn, home, AIHUB_EMBEDDED="on", AIHUB_EMBEDDED_GGUF="/models/theirs.gguf") as hub:
        assert (await hub.call("GET", FILES)).json()["operator_file"] == "/models/theirs.gguf"
        refused = await choose(hub, None)
        assert (refused.status, refused.json()["code"]) == (409, "embedded.set_by_operator")
        assert "AIHUB_EMBEDDED_GGUF" in refused.json()["remedy"]
        assert choice.chosen(home) is None


async def test_where_no_models_run_nothing_can_be_chosen(hub: Hub) -> None:
    refused = await choose(hub, None)
    assert (refused.status, refused.json()["code"]) == (503, "model.unavailable")
    assert "AIHUB_EMBEDDED" in refused.json()["remedy"]
    for wrong in ({"file": ""}, {"file": 1}, {}, {"file": "x", "more": 1}):
        answer = await hub.call("PUT", "/api/v1/embedded/choice", wrong)
        assert (answer.status, answer.json()["code"]) == (422, "request.invalid")


async def test_names_in_the_catalogue_never_collide(running: Hub) -> None:
    hub, home = running, running.runtime.kernel.home
    await hub.add_model("mine", aliases=["local"])
    folder = choice.folder(home)
    folder.mkdir()
    for name in ("Mine.gguf", f"{SMOLLM2.title}.gguf"):
        (folder / name).symlink_to(model_file(home))
    assert (await choose(hub, "Mine.gguf")).status == 200
    await until_state(hub, "Mine", "ready")
    known = await models(hub)
    assert (known["mine-2"]["upstream_name"], known["mine-2"]["aliases"]) == ("Mine", [])
    assert known["mine"]["aliases"] == ["local"], "an alias of another provider's model is not taken"
    assert (await choose(hub, f"{SMOLLM2.title}.gguf")).status == 200
    await until_state(hub, f"{SMOLLM2.title}.gguf", "ready")
    own = (await models(hub))["smollm2-135m-instruct.gguf"]
    assert (own["demonstration"], own["state"]) == (False, "ready")
