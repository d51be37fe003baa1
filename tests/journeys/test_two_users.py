"""Two people over every route: neither reads nor changes the other's things.

The routes come from the OpenAPI description, so a new route is tested the day it is written, and a new
kind of identifier in a path fails until this file knows how to make one.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support import hub as hubs
from tests.support.examples import NOWHERE, example_of
from tests.support.hub import Hub, running_hub
from tests.support.upstream import Upstream

SECRET = "the-aardvark-sleeps-at-noon"
METHODS = ("get", "post", "put", "patch", "delete")
# Every identifier that stands in a path, and how the owner's own one is found in `Things`.
IDENTIFIERS = {
    "conversation_id", "message_id", "run_id", "key_id", "user_id", "provider_id", "model_id", "job_id",
    "token", "model", "name", "session_id", "passkey_id", "invitation_id", "letter_id", "role_id",
    "grant_id", "entry_id", "handle", "link_id", "sign_in_provider_id", "export_id", "deletion_id",
}  # fmt: skip
PUBLIC_BY_LINK = {("get", "/api/v1/shared/{token}")}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="scripted") as hub:
        yield hub


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


class Person:
    """A user with a key and a browser session, and the things they made."""

    def __init__(self, hub: Hub, admin: hubs.Person, name: str, model: str) -> None:
        self.hub, self.name, self.model = hub, name, model
        made = hub.person(admin, f"{name}@example.org", f"quiet {name} likes turquoise umbrellas")
        self.key, self.browser = made.key, made.headers

    def browse(self, method: str, path: str, body: object = None) -> Any:
        """The same as `call`, as a browser that is signed in: keys may not do everything."""
        return self.hub.request(method.upper(), path, body, headers=self.browser)

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self.hub.request(method.upper(), path, body, key=self.key)

    def make_things(self) -> dict[str, str]:
        conversation = self.call(
            "post", "/api/v1/conversations", {"title": SECRET, "model": self.model}
        ).json()
        path = f"/api/v1/conversations/{conversation['id']}"
        sent = self.call("post", f"{path}/messages", {"text": f"remember {SECRET}"}).json()
        self.call("get", f"/api/v1/runs/{sent['run']['id']}/stream")
        shared = self.call("post", f"{path}/share").json()
        key = self.call("post", "/api/v1/keys", {"name": SECRET, "scopes": ["models:read"]}).json()
        session = self.browse("get", "/api/v1/sessions").json()["items"][0]
        return {
            "session_id": session["id"],
            "passkey_id": self._passkey(),
            "conversation_id": conversation["id"],
            "message_id": sent["assistant_message"]["id"],
            "run_id": sent["run"]["id"],
            "key_id": key["id"],
            "token": shared["token"],
            "export_id": self.browse("post", "/api/v1/me/exports").json()["id"],
        }

    def _passkey(self) -> str:
        """A passkey of this person, put where the ceremony with a real authenticator would put it."""
        made = self.hub.sql(
            "insert into passkeys (id, owner_id, credential_id, public_key, sign_count, rp_id, name, synced) "
            "select gen_random_uuid(), id, convert_to(email, 'UTF8'), 'p', 0, 'localhost', %s, false "
            "from users where email = %s returning id",
            SECRET, f"{self.name}@example.org",
        )  # fmt: skip
        assert made
        return str(made)

    def everything(self) -> str:
        """All this person can see of their own, as text, to compare before and after."""
        conversations = self.call("get", "/api/v1/conversations").json()
        whole = [self.call("get", f"/api/v1/conversations/{c['id']}").json() for c in conversations["items"]]
        keys = self.call("get", "/api/v1/keys").json()
        for key in keys["items"]:
            key.pop("last_used_at")
        sessions = self.browse("get", "/api/v1/sessions").json()
        for session in sessions["items"]:
            session.pop("last_seen_at")
        passkeys = self.browse("get", "/api/v1/passkeys").json()
        return json.dumps([whole, keys, sessions, passkeys], sort_keys=True)


def test_no_route_lets_one_person_reach_anothers_things(hub: Hub, upstream: Upstream) -> None:
    root = hub.set_up("root@example.org")
    hub.connect(root, upstream.url, "scripted")
    ada, bob = Person(hub, root, "ada", "scripted"), Person(hub, root, "bob", "scripted")
    things = ada.make_things()
    adas = str(hub.sql("select id from users where email = 'ada@example.org'"))
    ids = {**things, "user_id": adas, "model": "scripted", "job_id": "1"}
    before = ada.everything()
    described = hub.get("/api/openapi.json").json()
    assert isinstance(described, dict)
    tried = 0
    for path, operations in described["paths"].items():
        names = set(re.findall(r"{(\w+)}", path))
        assert names <= IDENTIFIERS, f"{path}: say in this file how to make {names - IDENTIFIERS}"
        real = path
        for name in names:
            real = real.replace(f"{{{name}}}", ids.get(name, NOWHERE))
        for method in METHODS:
            if method not in operations or (method, path) in PUBLIC_BY_LINK or path == "/api/v1/session":
                continue
            for way in (bob.call, bob.browse):
                answer = way(
                    method, real, example_of(operations[method], described) if method != "get" else None
                )
                tried += 1
                assert answer.status < 500, (method, path, answer.body[:400])
                assert SECRET.encode() not in answer.body, (method, path)
                owned = names & set(things) - {"token"}
                if owned:
                    assert answer.status in (403, 404, 405, 409, 422), (method, path, answer.status)
                    assert answer.status != 422 or method != "get", (method, path)
    assert tried > 100
    assert ada.everything() == before
