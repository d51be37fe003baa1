"""A hub with a person of each built-in role, their credentials, and things that belong to somebody."""

import contextlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from tests.access.client import Client
from tests.access.table import ROLES
from tests.support.hub import Hub, running_hub
from tests.support.upstream import Upstream

from aihub.kernel.postgres import EmbeddedPostgres
from aihub.kernel.tokens import token_hash
from aihub.services.privacy import archive

PASSWORD = "quiet people like turquoise umbrellas"
COOKIE = "__Host-aihub"
MODES = ("browser", "later", "key", "token")
"""How one calls: a browser that proved a moment ago, one that proved an hour ago, a key, an access token."""

_NO_LIMITS = ",".join(
    [f"{name}=100000/1s" for name in ("api.general", "ai.query", "mail.address")]
    + [f"{name}=100000/1s burst 100000" for name in ("edge.api", "edge.auth")]
)


@dataclass
class Person:
    """Somebody and the headers of each mode."""

    id: UUID
    email: str
    role: str
    session_id: UUID
    modes: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class World:
    hub: Hub
    call: Client
    database: psycopg.Connection
    people: dict[str, Person] = field(default_factory=dict)
    stranger: Person | None = None
    provider_id: str = ""
    model_id: str = ""
    role_id: str = ""
    """An ordinary role."""

    # ------------------------------------------------------------ people

    def settle(self) -> None:
        """One person of each role, and a stranger to all of them."""
        root = "super-admin@example.org"
        made = self.call(
            "POST", "/api/v1/setup", {"token": self.hub.setup_token(), "email": root, "password": PASSWORD}
        )
        assert made.status < 300, made.body
        self.people["super_admin"] = self._enter(root, "super_admin")
        for role in (*ROLES, "user"):
            email = f"{role}-{len(self.people)}@example.org"
            if role == "super_admin":
                continue
            body = {"email": email, "password": PASSWORD, "roles": [role]}
            made = self.call("POST", "/api/v1/users", body, self.people["super_admin"].modes["browser"])
            assert made.status == 201, made.body
            person = self._enter(email, role)
            if role in self.people:
                self.stranger = person
            else:
                self.people[role] = person

    def _enter(self, email: str, role: str) -> Person:
        """Sign in once; the other credentials are copies in the database, which costs less."""
        self.call("POST", "/api/v1/session", {"email": email, "password": PASSWORD})
        row = self.database.execute(
            "select u.id, s.id from users u join sessions s on s.owner_id = u.id where email = %s "
            "order by s.created_at desc limit 1",
            (email,),
        ).fetchone()
        assert row, f"{email} could not sign in"
        # A slow machine may take longer than a proof lasts.
        self.database.execute(
            "update sessions set proved_at = now() + interval '1 hour' where id = %s", (row[1],)
        )
        person = Person(row[0], email, role, row[1])
        person.modes["browser"] = self._browser(person)
        person.modes["later"] = self._browser(person, proved_at="2026-01-01T00:00:00Z")
        person.modes["key"] = self._key(person)
        person.modes["token"] = self._token(email)
        return person

    def copy(self, person: Person, mode: str | None) -> Person:
        """Somebody who may do the same, for a deed that their credentials or account may not survive; with
        the credentials of this mode, or without any."""
        email = f"copy-{uuid4().hex[:12]}@example.org"
        user = self.clone("users", person.id, email=email, email_verified_at=None)
        self.database.execute(
            "insert into user_roles (user_id, role_id) select %s, role_id from user_roles where user_id = %s",
            (user, person.id),
        )
        made = Person(user, email, person.role, person.session_id)
        match mode:
            case "browser":
                made.modes[mode] = self._browser(made)
            case "later":
                made.modes[mode] = self._browser(made, proved_at="2026-01-01T00:00:00Z")
            case "key":
                made.modes[mode] = self._key(made)
            case "token":
                made.modes[mode] = self._token(email)
        return made

    def _browser(self, person: Person, **changes: object) -> dict[str, str]:
        token = f"ahs_{secrets.token_urlsafe(32)}"
        self.clone(
            "sessions", person.session_id, owner_id=str(person.id), token_hash=_bytea(token_hash(token)),
            revoked_at=None, **changes,
        )  # fmt: skip
        cookie = {"Cookie": f"{COOKIE}={token}"}
        told = self.call("GET", "/api/v1/session", None, cookie)
        assert told.status == 200, told.body
        return cookie | {"X-CSRF-Token": str(told.json()["csrf_token"])}

    def _key(self, person: Person) -> dict[str, str]:
        text = f"ahk_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        self.insert(
            "api_keys", owner_id=person.id, name="all", prefix=text[:12], hash=token_hash(text), scopes=["*"]
        )
        return {"Authorization": f"Bearer {text}"}

    def _token(self, email: str) -> dict[str, str]:
        self.database.execute("delete from sign_in_attempts")  # guesses of the routes that take passwords
        got = self.call("POST", "/api/v1/tokens", {"email": email, "password": PASSWORD})
        assert got.status == 201, got.body
        return {"Authorization": f"Bearer {got.json()['access_token']}"}

    def alive(self, person: Person) -> list[str]:
        """The modes in which this person is no longer known."""
        gone = []
        for mode, headers in person.modes.items():
            if self.call("GET", "/api/v1/conversations?limit=1", None, headers).status != 200:
                gone.append(mode)
        return gone

    # ------------------------------------------------------------ things

    def clone(self, table: str, source: UUID, **changes: object) -> UUID:
        """A copy of a row with another id; the columns that are not named stay as they are."""
        fresh = uuid4()
        statement = sql.SQL(
            "insert into {table} select (jsonb_populate_record(t, %s::jsonb)).* from {table} t where id = %s"
        ).format(table=sql.Identifier(table))
        done = self.database.execute(statement, (json.dumps({"id": str(fresh), **changes}), source))
        assert done.rowcount == 1, f"{table} {source} is gone"
        return fresh

    def insert(self, table: str, **values: object) -> UUID:
        made = values.setdefault("id", uuid4())
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(values))
        self.database.execute(
            sql.SQL("insert into {} ({}) values ({})").format(sql.Identifier(table), names, marks),
            tuple(values.values()),
        )
        assert isinstance(made, UUID)
        return made


def _bytea(data: bytes) -> str:
    return "\\x" + data.hex()


def things_of(world: World, owner: Person, names: set[str]) -> dict[str, str]:
    """What these identifiers in a path name: something of this person's, made anew."""
    made: dict[str, str] = {}
    if names & {"conversation_id", "message_id", "run_id", "token"}:
        made |= _conversation(world, owner)
    if "key_id" in names:
        made["key_id"] = str(
            world.insert(
                "api_keys", owner_id=owner.id, name="mine", prefix="ahk_12345678",
                hash=secrets.token_bytes(32), scopes=["models:read"],
            )
        )  # fmt: skip
    if "session_id" in names:
        made["session_id"] = str(
            world.clone(
                "sessions", owner.session_id, owner_id=str(owner.id),
                token_hash=_bytea(secrets.token_bytes(32)), revoked_at=None,
            )
        )  # fmt: skip
    if "passkey_id" in names:
        made["passkey_id"] = str(
            world.insert(
                "passkeys", owner_id=owner.id, credential_id=secrets.token_bytes(16), public_key=b"p",
                sign_count=0, rp_id="localhost", name="mine", synced=False,
            )
        )  # fmt: skip
    if "export_id" in names:
        made["export_id"] = _export(world, owner)
    if "link_id" in names:
        made["link_id"] = str(_linked(world, owner))
    return made


def _conversation(world: World, owner: Person) -> dict[str, str]:
    conversation, question, answer, run = (uuid4() for _ in range(4))
    token = f"shr_{secrets.token_urlsafe(24)}"
    whose = {"owner_id": owner.id, "conversation_id": conversation}
    world.insert(
        "conversations", id=conversation, owner_id=owner.id, title="t", current_message_id=answer,
        share_token=token, shared_message_id=answer, shared_at="2026-01-01", model="echo",
    )  # fmt: skip
    world.insert("messages", id=question, role="user", text="q", **whose)
    world.insert(
        "messages", id=answer, parent_id=question, role="assistant", text="a", status="stopped", run_id=run,
        **whose,
    )  # fmt: skip
    world.insert("runs", id=run, message_id=answer, process="p", status="complete", **whose)
    ids = {"conversation_id": conversation, "message_id": answer, "run_id": run}
    return {name: str(each) for name, each in ids.items()} | {"token": token}


def _export(world: World, owner: Person) -> str:
    """An archive that is ready, with its file where the hub keeps it."""
    secret = secrets.token_hex(16)
    made = world.insert(
        "data_exports", owner_id=owner.id, status="ready", secret=secret, size=3,
        finished_at="2026-01-01", expires_at="2100-01-01",
    )  # fmt: skip
    file = archive.path_of(world.hub.home, made, secret)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"zip")
    return str(made)


def _linked(world: World, owner: Person) -> UUID:
    provider = world.database.execute("select id from identity_providers").fetchone()
    provider_id = provider[0] if provider else world.insert(
        "identity_providers", handle="elsewhere", name="Elsewhere", issuer="https://id.example.org",
        client_id="hub", enabled=False,
    )  # fmt: skip
    return world.insert(
        "linked_sign_ins", owner_id=owner.id, provider_id=provider_id, issuer="https://id.example.org",
        subject=uuid4().hex,
    )  # fmt: skip


@contextlib.contextmanager
def opened() -> Iterator[World]:
    """A running hub with people in it."""
    with (
        Upstream() as upstream,
        running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo", AIHUB_LIMITS=_NO_LIMITS) as hub,
    ):
        server = EmbeddedPostgres(hub.home)
        server.attach()
        with (
            psycopg.connect(server.dsn("superuser"), autocommit=True) as database,
            contextlib.closing(Client(hub.port)) as client,
        ):
            world = World(hub, client, database)
            world.settle()
            _model(world, upstream)
            yield world


def _model(world: World, upstream: Upstream) -> None:
    root = world.people["super_admin"].modes["browser"]
    provider = world.call(
        "POST", "/api/v1/providers",
        {"name": "Scripted", "kind": "openai", "base_url": upstream.url, "allow_private": True}, root,
    )  # fmt: skip
    assert provider.status == 201, provider.body
    body = {
        "name": "echo", "upstream_name": "echo", "provider_id": provider.json()["id"],
        "input_price": "0", "output_price": "0",
    }  # fmt: skip
    made = world.call("POST", "/api/v1/models", body, root)
    assert made.status == 201, made.body
    world.provider_id, world.model_id = provider.json()["id"], made.json()["id"]
    row = world.database.execute("select id from roles where name = 'user'").fetchone()
    assert row
    world.role_id = str(row[0])
